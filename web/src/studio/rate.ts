// The rate of an upload and the time that is left. Pure.

/** The time over which the rate is measured, in milliseconds. */
const WINDOW_MS = 20_000;
/** The time before a rate is shown, in milliseconds. */
const LEAST_MS = 2_000;

/** A meter of bytes per second over the last 20 seconds. */
export class RateMeter {
  #samples: [number, number][] = [];

  /** Adds a sample: bytes that were sent until `nowMs`. A smaller count begins anew. */
  add(nowMs: number, bytes: number): void {
    const last = this.#samples.at(-1);
    if (last && bytes < last[1]) this.#samples = [];
    this.#samples.push([nowMs, bytes]);
    // The oldest sample lies just before the window.
    while (this.#samples.length > 2 && this.#samples[1]![0] <= nowMs - WINDOW_MS)
      this.#samples.shift();
  }

  /** Forgets the samples, such as after a pause. */
  reset(): void {
    this.#samples = [];
  }

  bytesPerSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last[0] - first[0] < LEAST_MS) return undefined;
    return (1000 * (last[1] - first[1])) / (last[0] - first[0]);
  }

  /** Seconds until `bytes` more are sent. */
  secondsFor(bytes: number): number | undefined {
    const rate = this.bytesPerSecond();
    return rate ? bytes / rate : undefined;
  }
}
