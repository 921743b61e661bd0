// A timer that background tabs do not slow down: a worker keeps its time.

export class Ticker {
  readonly #worker: Worker;

  constructor(everyMs: number, tick: () => void) {
    this.#worker = new Worker(new URL(TICKER, import.meta.url));
    this.#worker.onmessage = tick;
    this.#worker.postMessage(everyMs);
  }

  stop(): void {
    this.#worker.terminate();
  }
}

/** The worker's file. web/build.mjs writes it here. */
declare const TICKER: string;
