// Openings and recoveries of one player. They wait for answers, and what waits may be out of date
// when its answer comes. Pure.

/** An opening or a recovery. */
export interface Attempt {
  /** No later attempt has begun. */
  readonly isCurrent: boolean;
  /** Lets the next recovery begin. */
  finish(): void;
}

export class Attempts {
  #newest = 0;
  #isRunning = false;

  /** Begins an attempt in place of the one that runs. */
  start(): Attempt {
    const number = ++this.#newest;
    const isCurrent = (): boolean => number === this.#newest;
    this.#isRunning = true;
    return {
      get isCurrent() {
        return isCurrent();
      },
      finish: () => {
        if (isCurrent()) this.#isRunning = false;
      },
    };
  }

  /** Begins an attempt if none runs. */
  startIfIdle(): Attempt | undefined {
    return this.#isRunning ? undefined : this.start();
  }

  /** Ends every attempt. */
  stop(): void {
    this.#newest += 1;
    this.#isRunning = false;
  }
}
