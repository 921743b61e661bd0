// Keeps settings, positions and notes in the browser. Without storage, the player keeps nothing.

/** Settings of the viewer, for every lecture. */
export interface Settings {
  speed?: number;
  volume?: number;
  /** The captions' language, or `null` if the viewer turned them off. */
  captions?: string | null;
  captionStyle?: unknown;
  /** Silences are skipped. */
  skipsSilence?: boolean;
  /** Characters control the player. */
  shortcuts?: boolean;
  /** Load little: low qualities, and not far ahead. */
  lowData?: boolean;
}

/** The slowest and the fastest speed that the player offers. */
const MIN_SPEED = 0.5;
const MAX_SPEED = 3;
const SETTINGS = "lectern settings";
/** Browsers keep positions under this name since the first version. */
const POSITION = "lectern place ";
const BANDWIDTH = "lectern bandwidth";
/** The age at which an estimate says nothing about the line any more, in milliseconds. */
const BANDWIDTH_FOR_MS = 3_600_000;
/** The largest estimate to start with, in bits a second. Segments of the cache arrive at once. */
const MAX_BANDWIDTH = 8_000_000;

/** The kept settings. Scripts of the origin may have written them: a wrong one is left out. */
export function settings(): Settings {
  const kept: unknown = parse(read(localStorageOrNone(), SETTINGS));
  if (typeof kept !== "object" || kept === null) return {};
  const all: Settings = { ...kept };
  if (!isBetween(all.speed, MIN_SPEED, MAX_SPEED)) delete all.speed;
  if (!isBetween(all.volume, 0, 1)) delete all.volume;
  return all;
}

function isBetween(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most;
}

export function keepSettings(changed: Settings): void {
  write(localStorageOrNone(), SETTINGS, JSON.stringify({ ...settings(), ...changed }));
}

/** The second at which a viewer left a lecture. */
export function keptPosition(lecture: string): number | undefined {
  const kept = Number(read(localStorageOrNone(), POSITION + lecture) ?? NaN);
  return Number.isFinite(kept) ? kept : undefined;
}

/** Keeps the position in a lecture, or forgets it. */
export function keepPosition(lecture: string, seconds: number | undefined): void {
  const text = seconds === undefined ? undefined : String(Math.round(seconds));
  write(localStorageOrNone(), POSITION + lecture, text);
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

/** The estimate of the viewer's line, in bits a second, if it is young and plausible. */
export function bandwidth(now = Date.now()): number | undefined {
  const kept: unknown = parse(read(localStorageOrNone(), BANDWIDTH));
  if (typeof kept !== "object" || kept === null || !("bits" in kept) || !("at" in kept))
    return undefined;
  const { bits, at } = kept;
  if (typeof bits !== "number" || typeof at !== "number") return undefined;
  const isYoung = now >= at && now - at <= BANDWIDTH_FOR_MS;
  return isYoung && bits > 0 ? Math.min(bits, MAX_BANDWIDTH) : undefined;
}

export function keepBandwidth(bits: number, now = Date.now()): void {
  const kept = { bits: Math.round(bits), at: now };
  if (kept.bits > 0) write(localStorageOrNone(), BANDWIDTH, JSON.stringify(kept));
}

/** The session of a lecture in this tab, so that a reload keeps its place among the players. */
export function keptSession(lecture: string): string | undefined {
  return read(sessionStorageOrNone(), `lectern session ${lecture}`);
}

/** Keeps the session of a lecture, or forgets it. */
export function keepSession(lecture: string, session: string | undefined): void {
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
