// Segments that the browser cannot decode: tried again, then skipped, and not for ever. Pure.

/** The distance from which an error has nothing to do with the one before, in seconds. */
const ELSEWHERE_SECONDS = 10;
/** Recoveries at one position before its segment is skipped. */
const MAX_TRIES = 2;
/** Errors without playback between them. A browser reports many for one segment. */
const MAX_ERRORS = 10;
/** The playback after which errors are new ones, in seconds. */
const PLAYED_SECONDS = 10;

export type DamageStep =
  /** Load the same segment again. */
  | "recover"
  /** Go on without the segment. */
  | "skip"
  /** End the lecture: nothing follows the segment. */
  | "end"
  /** Nothing here can be decoded. */
  | "stop";

/** Counts media errors by their position. */
export class Damage {
  #at = -Infinity;
  #tries = 0;
  #errors = 0;
  #played = 0;
  #last = Infinity;
  #began = 0;

  /** The second that played before the first of these errors. */
  get began(): number {
    return this.#began;
  }

  /** Returns whether an error near this second has not been played over. */
  isNear(second: number): boolean {
    return this.#errors > 0 && Math.abs(second - this.#at) < ELSEWHERE_SECONDS;
  }

  /** Notes that the lecture plays at this second. */
  plays(second: number): void {
    const step = second - this.#last;
    this.#last = second;
    if (step > 0 && step < 1) this.#played += step;
    if (this.#played >= PLAYED_SECONDS) this.#errors = 0;
  }

  /**
   * Decides after an error of what is at a second, while `playing` plays. Only a known segment can
   * be skipped.
   */
  next(at: number, playing: number, isSegmentKnown: boolean, isLast = false): DamageStep {
    if (this.#errors === 0) this.#began = playing;
    this.#errors += 1;
    this.#played = 0;
    if (Math.abs(at - this.#at) >= ELSEWHERE_SECONDS) this.#tries = 0;
    this.#at = at;
    this.#tries += 1;
    if (this.#errors > MAX_ERRORS) return "stop";
    if (this.#tries <= MAX_TRIES) return "recover";
    this.#tries = 0;
    if (!isSegmentKnown) return "stop";
    return isLast ? "end" : "skip";
  }
}
