// Segments that the browser cannot decode: tried again, then skipped, and not for ever. Pure.

/** The distance from which an error has nothing to do with the one before, in seconds. */
const ELSEWHERE_SECONDS = 10;
/** Recoveries at one place before its segment is skipped. */
const MAX_TRIES = 2;
/** Segments that are skipped one after the other. */
const MAX_SKIPS = 3;

export type DamageStep =
  /** Load the same place again. */
  | "recover"
  /** Go on without the segment. */
  | "skip"
  /** Nothing here can be decoded. */
  | "stop";

/** Counts media errors by their place. */
export class Damage {
  #at = -Infinity;
  #tries = 0;
  #skips = 0;

  /** Decides after an error at this second. Only a known segment can be skipped. */
  next(at: number, isSegmentKnown: boolean): DamageStep {
    if (Math.abs(at - this.#at) >= ELSEWHERE_SECONDS) this.#tries = this.#skips = 0;
    this.#at = at;
    this.#tries += 1;
    if (this.#tries <= MAX_TRIES) return "recover";
    if (!isSegmentKnown || this.#skips >= MAX_SKIPS) return "stop";
    this.#tries = 0;
    this.#skips += 1;
    return "skip";
  }
}
