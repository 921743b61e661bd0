// The second at which a lecture starts. Pure.

/** Positions at which a lecture goes on: seconds from its beginning, a share of its duration. */
const RESUME_FROM = 10;
const RESUME_TO = 0.95;

/** A position this near the beginning or the end is not kept, in seconds. */
const KEPT_MARGIN_SECONDS = 15;

/** Seconds that may be the start. */
export interface StartFacts {
  /** The page asks for it. */
  asked?: number;
  /** The edge's watch data. */
  watched?: number;
  /** Kept in this browser. */
  kept?: number;
}

export interface Start {
  second: number;
  /** The viewer stopped there, so the player says so. */
  isResumed: boolean;
}

/** Decides where a lecture starts. The edge's watch data count more than the browser's. */
export function startOf({ asked, watched, kept }: StartFacts): Start {
  if (asked !== undefined) return { second: asked, isResumed: false };
  const stopped = watched ?? kept ?? 0;
  const isResumed = stopped >= RESUME_FROM;
  return { second: isResumed ? stopped : 0, isResumed };
}

/** The facts about a lecture's length. */
export interface Length {
  duration: number;
  /** The lecture still grows, so that its end is not known. */
  isLive: boolean;
}

/** Returns whether a second lies near the end of a lecture, or behind it. */
export function isNearEnd(second: number, { duration, isLive }: Length): boolean {
  return !isLive && duration > 0 && second > duration * RESUME_TO;
}

/** The second to keep in this browser, or `undefined` if the lecture is to begin anew. */
export function positionToKeep(second: number, { duration, isLive }: Length): number | undefined {
  const isBeforeEnd = isLive || second < duration - KEPT_MARGIN_SECONDS;
  return second > KEPT_MARGIN_SECONDS && isBeforeEnd ? second : undefined;
}

/** Reads `Lectern-Position`, whole seconds. */
export function parsePosition(header: string | null): number | undefined {
  return header && /^\d{1,6}(\.\d{1,3})?$/.test(header) ? Number(header) : undefined;
}

/** The second that plays, or plays next. */
export class Position {
  second: number;
  #facts: StartFacts;
  #isResumed: boolean;
  #asksEdge: boolean;

  constructor(facts: StartFacts, asksEdge: boolean) {
    this.#facts = facts;
    ({ second: this.second, isResumed: this.#isResumed } = startOf(facts));
    this.#asksEdge = asksEdge;
  }

  /** The edge's watch data may name another start. */
  get asksEdge(): boolean {
    return this.#asksEdge;
  }

  /** The viewer stopped at this second, and nothing has loaded yet. */
  get isResumed(): boolean {
    return this.#isResumed;
  }

  /** Starts at a second that the viewer chose. */
  choose(second: number): void {
    this.#facts = { asked: second };
    this.second = second;
    this.#isResumed = this.#asksEdge = false;
  }

  /** Moves the start to the second of the edge's watch data, once. */
  setWatched(watched: number | undefined): void {
    if (!this.#asksEdge) return;
    this.#asksEdge = false;
    ({ second: this.second, isResumed: this.#isResumed } = startOf({ ...this.#facts, watched }));
  }

  /** Begins anew if the viewer has nearly seen the end. Returns whether it does. */
  beginAnewNearEnd(length: Length): boolean {
    if (!this.#isResumed || !isNearEnd(this.second, length)) return false;
    this.#isResumed = false;
    this.second = 0;
    return true;
  }

  /** Notes that the lecture has loaded. Returns whether it goes on where the viewer stopped. */
  loaded(): boolean {
    const isResumed = this.#isResumed;
    this.#isResumed = false;
    return isResumed;
  }

  /** The second to load from. -1 leaves it to hls.js, which joins a live lecture at its end. */
  loadsFrom(hasLoaded: boolean): number {
    return this.second > 0 || hasLoaded || this.#facts.asked === 0 ? this.second : -1;
  }
}
