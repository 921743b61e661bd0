// What the browser keeps between visits. Without storage, the player keeps nothing.

/** Settings of the viewer, for every lecture. */
export interface Settings {
  speed?: number;
  volume?: number;
  /** The captions' language, or `null` if the viewer turned them off. */
  captions?: string | null;
  captionStyle?: unknown;
  /** Silences are skipped. */
  skipsSilence?: boolean;
}

const SETTINGS = "lectern settings";

export function settings(): Settings {
  const kept: unknown = parse(read(localStorageOrNone(), SETTINGS));
  return typeof kept === "object" && kept !== null ? kept : {};
}

export function keepSettings(changed: Settings): void {
  write(localStorageOrNone(), SETTINGS, JSON.stringify({ ...settings(), ...changed }));
}

/** The second at which a viewer left a lecture. */
export function place(lecture: string): number | undefined {
  const kept = Number(read(localStorageOrNone(), `lectern place ${lecture}`) ?? NaN);
  return Number.isFinite(kept) ? kept : undefined;
}

/** Keeps the place in a lecture, or forgets it. */
export function keepPlace(lecture: string, seconds: number | undefined): void {
  const text = seconds === undefined ? undefined : String(Math.round(seconds));
  write(localStorageOrNone(), `lectern place ${lecture}`, text);
}

/** The notes at a lecture, as text. */
export function keptNotes(lecture: string): string | undefined {
  return read(localStorageOrNone(), `lectern notes ${lecture}`);
}

/** Keeps the notes at a lecture. Returns whether the browser has kept them. */
export function keepNotes(lecture: string, text: string | undefined): boolean {
  write(localStorageOrNone(), `lectern notes ${lecture}`, text);
  return keptNotes(lecture) === text;
}

/** The session of a lecture in this tab, so that a reload keeps its place among the players. */
export function session(lecture: string): string | undefined {
  return read(sessionStorageOrNone(), `lectern session ${lecture}`);
}

export function keepSession(lecture: string, session: string): void {
  write(sessionStorageOrNone(), `lectern session ${lecture}`, session);
}

function localStorageOrNone(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

function sessionStorageOrNone(): Storage | undefined {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}

function read(storage: Storage | undefined, name: string): string | undefined {
  return storage?.getItem(name) ?? undefined;
}

function write(storage: Storage | undefined, name: string, text: string | undefined): void {
  try {
    if (text === undefined) storage?.removeItem(name);
    else storage?.setItem(name, text);
  } catch {
    // The storage is full.
  }
}

function parse(text: string | undefined): unknown {
  try {
    return text && JSON.parse(text);
  } catch {
    return undefined;
  }
}
