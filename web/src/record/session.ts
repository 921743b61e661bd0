// A session of recording: one capture into one recording, with pauses.
import { Capture, type CaptureTracks, type Painter } from "./capture.ts";
import { OtherEncoder, type Recording } from "./recording.ts";
import { DECIMATIONS, isOverloaded, type VideoShape } from "./shape.ts";
import { Standstill } from "./standstill.ts";
import { Ticker } from "./ticker.ts";
import { Timeline } from "./timeline.ts";

/** The time over which dropped frames are judged, in milliseconds. */
const JUDGED_MS = 3_000;

export interface SessionEvents {
  /** Something in the numbers changed. */
  onTick(): void;
  /** The encoder drops frames, so that fewer are kept. */
  onSlower(frameRate: number): void;
  onGap(seconds: number): void;
  onFailure(error: "encoder" | "other_encoder"): void;
  /** The encoder gives no segment any more, without an error. */
  onStuck(): void;
  /** Disk and memory are full. */
  onFull(): void;
}

const secondsNow = (): number => performance.now() / 1000;

export class Session {
  readonly #recording: Recording;
  readonly #events: SessionEvents;
  readonly #timeline: Timeline;
  readonly #capture: Capture;
  readonly #ticker: Ticker;
  readonly #standstill = new Standstill();
  /** Stored segments of this session. */
  segments = 0;
  #isStopping = false;
  /** Segments that a stuck encoder still gives come too late. */
  #isCancelled = false;
  #slowness = 0;
  #judgedAt = performance.now();

  constructor(recording: Recording, tracks: CaptureTracks, paint: Painter, events: SessionEvents) {
    this.#recording = recording;
    this.#events = events;
    const { shape } = recording.row;
    this.#timeline = new Timeline(recording.seconds, shape.frameRate);
    this.#capture = new Capture(
      tracks,
      shape,
      this.#timeline,
      {
        takeInit: async (init) => {
          if (!this.#isCancelled) await recording.takeInit(init);
        },
        takeSegment: async (segment) => {
          if (this.#isCancelled) return;
          await recording.takeSegment(segment, this.#isStopping);
          this.segments += 1;
          this.#standstill.moved();
        },
        takeLengths: (seconds) => {
          if (!this.#isCancelled) recording.listSegment(seconds.at(-1));
        },
        onError: (error) =>
          events.onFailure(error instanceof OtherEncoder ? "other_encoder" : "encoder"),
        onGap: (seconds) => events.onGap(seconds),
      },
      paint,
    );
    this.#ticker = new Ticker(250, () => this.#tick());
  }

  get seconds(): number {
    return this.#timeline.seconds;
  }

  get isPaused(): boolean {
    return this.#timeline.isPaused;
  }

  start(): Promise<void> {
    return this.#capture.start();
  }

  pause(): void {
    this.#timeline.pause(secondsNow());
  }

  resume(): void {
    this.#timeline.resume(secondsNow());
  }

  /** Ends the capture. Its last segment is on the device afterwards. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#ticker.stop();
    await this.#capture.stop();
  }

  /** Ends the capture without its last segment. */
  async cancel(): Promise<void> {
    this.#isCancelled = true;
    this.#ticker.stop();
    await this.#capture.cancel();
  }

  #tick(): void {
    if (this.#recording.isFull && !this.isPaused) {
      this.pause();
      this.#events.onFull();
    }
    if (this.isPaused) this.#standstill.moved();
    if (this.#standstill.tick(performance.now())) this.#events.onStuck();
    if (performance.now() - this.#judgedAt > JUDGED_MS) this.#judge();
    this.#events.onTick();
  }

  #judge(): void {
    this.#judgedAt = performance.now();
    const every = DECIMATIONS[this.#slowness + 1];
    if (!isOverloaded(this.#timeline.takeCounts()) || every === undefined) return;
    this.#slowness++;
    this.#timeline.keepOneOf(every);
    this.#events.onSlower(Math.round(this.#recording.row.shape.frameRate / every));
  }
}

/** Encodes for some time without keeping anything. Returns whether the encoder keeps up. */
export async function canKeepUp(
  tracks: CaptureTracks,
  shape: VideoShape,
  paint: Painter,
  elapsed: Promise<void>,
): Promise<boolean> {
  const timeline = new Timeline(0, shape.frameRate);
  let hasFailed = false;
  const nothing = async (): Promise<void> => {};
  const capture = new Capture(
    tracks,
    shape,
    timeline,
    {
      takeInit: nothing,
      takeSegment: nothing,
      takeLengths: () => {},
      onError: () => (hasFailed = true),
      onGap: () => {},
    },
    paint,
  );
  await capture.start();
  await elapsed;
  await capture.cancel().catch(() => {});
  return !hasFailed && !isOverloaded(timeline.takeCounts());
}
