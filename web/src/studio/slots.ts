// Turns, locks and waiting for uploads.

/** Gives one upload at a time its turn, in the order of requests. */
export class TurnQueue {
  #last: Promise<void> = Promise.resolve();

  /** Waits for the turn, runs `act`, and passes the turn on. Rejects if the signal aborts first. */
  async take<Result>(signal: AbortSignal, act: () => Promise<Result>): Promise<Result> {
    const before = this.#last;
    let pass!: () => void;
    this.#last = new Promise((resolve) => (pass = resolve));
    const leave = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
    try {
      await Promise.race([before, leave]);
      signal.throwIfAborted();
      return await act();
    } finally {
      // One that gave up waiting passes the turn on when it comes.
      void before.then(pass);
    }
  }
}

/**
 * Runs `act` unless another tab holds the lock of an object. Returns if it ran. A browser without
 * locks runs it.
 */
export async function withLock(path: string, act: () => Promise<void>): Promise<boolean> {
  const locks = (navigator as Partial<Navigator>).locks;
  if (!locks) return act().then(() => true);
  return locks.request(lockName(path), { ifAvailable: true }, async (lock) => {
    if (lock) await act();
    return lock !== null;
  });
}

/** Waits until no tab holds the lock of an object. */
export async function untilUnlocked(path: string, signal: AbortSignal): Promise<void> {
  await navigator.locks.request(lockName(path), { signal }, async () => {});
}

function lockName(path: string): string {
  return `lectern upload ${path}`;
}

/** Waits for the time, or until the browser has a connection again or shows the page. */
export function waitFor(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const over = new AbortController();
    const finish = (): void => {
      clearTimeout(timer);
      over.abort();
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(finish, ms);
    const options = { signal: over.signal };
    const show = (): void => void (document.visibilityState === "visible" && finish());
    addEventListener("online", finish, options);
    document.addEventListener("visibilitychange", show, options);
    signal.addEventListener("abort", finish, options);
  });
}
