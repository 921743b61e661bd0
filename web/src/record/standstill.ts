// An encoder that gives nothing any more, and says nothing either. Pure.

/** The time without a segment after which an encoder counts as stuck, in milliseconds. */
export const STUCK_MS = 10_000;
/** Ticks that come sooner after each other waited while the page stood still. */
const SOONEST_TICK_MS = 100;
/** The longest time that one tick counts. The computer may have slept. */
const LONGEST_TICK_MS = 1_000;

export class Standstill {
  #idleMs = 0;
  #tickedAt: number | undefined;

  /** Notes a segment, or a pause. */
  moved(): void {
    this.#idleMs = 0;
  }

  /** Notes a tick of a clock. Returns whether the encoder is stuck, and then counts anew. */
  tick(nowMs: number): boolean {
    const passed = nowMs - (this.#tickedAt ?? nowMs);
    this.#tickedAt = nowMs;
    if (passed < SOONEST_TICK_MS) return false;
    this.#idleMs += Math.min(passed, LONGEST_TICK_MS);
    if (this.#idleMs < STUCK_MS) return false;
    this.#idleMs = 0;
    return true;
  }
}
