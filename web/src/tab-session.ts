// The session of a tab. A browser copies a tab's storage when the viewer duplicates the tab, so a
// key that another living player holds is not taken: two players would share one place.

/** The wait for a page that a reload replaces, in milliseconds. */
const RELEASED_WITHIN_MS = 500;

/** The part of the Web Locks API that is used. */
export type Locks = Pick<LockManager, "request">;

/** A session's lock, from when it is taken until it is released. */
export class SessionLock {
  readonly #locks: Locks | undefined;
  #session: string | undefined;
  #release: (() => void) | undefined;

  /** `locks` is undefined on pages without HTTPS, where nothing is locked. */
  constructor(locks: Locks | undefined) {
    this.#locks = locks;
  }

  /** Holds a session for this player. Returns whether no other player holds it. */
  async hold(session: string): Promise<boolean> {
    if (!this.#locks || session === this.#session) return true;
    this.release();
    this.#session = session;
    const isHeld = await new Promise<boolean>((resolve) => {
      const signal = AbortSignal.timeout(RELEASED_WITHIN_MS);
      const held = (): Promise<void> =>
        new Promise((release) => {
          // The player may have gone on to another session meanwhile.
          if (session !== this.#session) release();
          this.#release = release;
          resolve(true);
        });
      const locked = this.#locks?.request(`lectern session ${session}`, { signal }, held);
      locked?.catch(() => resolve(false));
    });
    if (!isHeld && session === this.#session) this.#session = undefined;
    return isHeld;
  }

  release(): void {
    this.#release?.();
    this.#release = this.#session = undefined;
  }
}
