// The second at which a lecture starts. Pure.

/** Positions at which a lecture goes on: seconds from its beginning, and a share of its duration. */
const RESUME_FROM = 10;
const RESUME_TO = 0.95;

/** A place this near the beginning or the end is not kept, in seconds. */
const PLACE_MARGIN = 15;

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
export function placeToKeep(second: number, { duration, isLive }: Length): number | undefined {
  const isInside = second > PLACE_MARGIN && (isLive || second < duration - PLACE_MARGIN);
  return isInside ? second : undefined;
}

/** Reads `Lectern-Position`, whole seconds. */
export function parsePosition(header: string | null): number | undefined {
  return header && /^\d{1,6}(\.\d{1,3})?$/.test(header) ? Number(header) : undefined;
}
