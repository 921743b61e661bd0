// The timeline of a recording: without pauses, and without the time in which the computer slept.
// Audio and video share it. Pure.

export type TrackKind = "video" | "audio";

/**
 * The longest time without any sample that stays in the recording. A longer one is cut out: the
 * computer slept, or the browser stood still.
 */
export const LONGEST_GAP_SECONDS = 2;
/** The difference from which the clock of a source no longer counts. Sleep stops some of them. */
const LARGEST_DRIFT_SECONDS = 1.5;

interface Cut {
  from: number;
  to: number;
}

export interface Placement {
  /** The sample's time in the recording. */
  seconds: number;
  /** The time that was cut out before it, because nothing was captured. */
  gapSeconds: number;
}

export interface FrameCounts {
  /** Frames that the source offered. */
  offered: number;
  /** Frames that never came, because the encoder was busy. */
  dropped: number;
}

/** `now` is always a time of one steady clock in seconds. */
export class Timeline {
  readonly #start: number;
  readonly #frameRate: number;
  readonly #cuts: Cut[] = [];
  readonly #offset: Record<TrackKind, number> = { video: 0, audio: 0 };
  readonly #last: Partial<Record<TrackKind, number>> = {};
  #origin: number | undefined;
  /** The time of the first frame, before which there is no sound. */
  #firstFrame: number | undefined;
  #latest: number | undefined;
  #latestFrame: number | undefined;
  #counts: FrameCounts = { offered: 0, dropped: 0 };
  /** Time that was cut out since the last sample that stayed. */
  #gapSeconds = 0;
  #every = 1;
  #frames = 0;

  /** `start` is the length of what was recorded before, in seconds. */
  constructor(start: number, frameRate: number) {
    this.#start = start;
    this.#frameRate = frameRate;
  }

  /** Seconds recorded, with what was recorded before. */
  get seconds(): number {
    return Math.max(this.#start, this.#last.video ?? 0, this.#last.audio ?? 0);
  }

  get isPaused(): boolean {
    return this.#cuts.at(-1)?.to === Infinity;
  }

  pause(now: number): void {
    const from = now - (this.#origin ?? now);
    if (!this.isPaused) this.#cuts.push({ from, to: Infinity });
  }

  resume(now: number): void {
    const last = this.#cuts.at(-1);
    if (last && this.isPaused) last.to = Math.max(now - (this.#origin ?? now), last.from);
  }

  /** Keeps one of `every` frames from now on. */
  keepOneOf(every: number): void {
    this.#every = every;
  }

  /** Returns the frames since the last call. */
  takeCounts(): FrameCounts {
    const counts = this.#counts;
    this.#counts = { offered: 0, dropped: 0 };
    return counts;
  }

  /** Places a sample of a source's clock in the recording, or leaves it out. */
  place(kind: TrackKind, sourceSeconds: number, now: number): Placement | undefined {
    this.#origin ??= now - sourceSeconds;
    const time = this.#steady(kind, sourceSeconds, now - this.#origin);
    const cut = this.#cutGap(time);
    this.#gapSeconds += cut;
    if (kind === "video") {
      this.#count(time, cut);
      if (this.#frames++ % this.#every !== 0) return undefined;
    }
    if (this.#cuts.some(({ from, to }) => from <= time && time < to)) return undefined;
    if (kind === "video") this.#firstFrame ??= time - this.#cutBefore(time);
    if (this.#firstFrame === undefined) return undefined;
    const seconds = this.#start + time - this.#cutBefore(time) - this.#firstFrame;
    const last = this.#last[kind];
    if (seconds < this.#start || (last !== undefined && seconds <= last)) return undefined;
    this.#last[kind] = seconds;
    const gapSeconds = this.#gapSeconds;
    this.#gapSeconds = 0;
    return { seconds, gapSeconds };
  }

  #steady(kind: TrackKind, sourceSeconds: number, elapsed: number): number {
    const drift = elapsed - (sourceSeconds + this.#offset[kind]);
    if (Math.abs(drift) > LARGEST_DRIFT_SECONDS) this.#offset[kind] += drift;
    return sourceSeconds + this.#offset[kind];
  }

  #cutGap(time: number): number {
    const before = this.#latest ?? time;
    this.#latest = Math.max(before, time);
    if (this.isPaused || time - before <= LONGEST_GAP_SECONDS) return 0;
    // A pause may have ended in between.
    const from = Math.max(before, this.#cuts.at(-1)?.to ?? 0);
    if (time - from <= LONGEST_GAP_SECONDS) return 0;
    this.#cuts.push({ from, to: time });
    return time - from;
  }

  #count(time: number, gapSeconds: number): void {
    const before = this.#latestFrame;
    this.#latestFrame = time;
    if (before === undefined || gapSeconds > 0 || this.isPaused) return;
    const dropped = Math.max(0, Math.round((time - before) * this.#frameRate) - 1);
    this.#counts.offered += 1 + dropped;
    this.#counts.dropped += dropped;
  }

  #cutBefore(time: number): number {
    return this.#cuts.reduce((sum, { from, to }) => sum + (to <= time ? to - from : 0), 0);
  }
}
