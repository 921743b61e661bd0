// Captures tracks, encodes them once and hands on segments.
import {
  type AudioSample,
  BufferTarget,
  canEncodeAudio,
  canEncodeVideo,
  CmafOutputFormat,
  HlsOutputFormat,
  MediaStreamAudioTrackSource,
  MediaStreamVideoTrackSource,
  NullTarget,
  Output,
  PathedTarget,
  Quality,
  VideoSample,
} from "mediabunny";
import { FIRST_SEGMENT_SECONDS, listedSeconds, SEGMENT_SECONDS } from "./playlist.ts";
import { AUDIO_BIT_RATE, type VideoShape } from "./shape.ts";
import type { Timeline } from "./timeline.ts";

/** Receivers of what is encoded. The muxer waits for the first two. */
export interface CaptureSink {
  takeInit(init: ArrayBuffer): Promise<void>;
  takeSegment(segment: ArrayBuffer): Promise<void>;
  /** The muxer's exact lengths of all segments so far. */
  takeLengths(seconds: number[]): void;
  onError(error: unknown): void;
  /** Time that was cut out, in seconds. */
  onGap(seconds: number): void;
}

export interface CaptureTracks {
  video: MediaStreamVideoTrack;
  audio: MediaStreamAudioTrack | undefined;
}

/** Draws on a frame of the recording's size. */
export type Painter = (frame: VideoSample) => OffscreenCanvas | undefined;

/** Returns the reason why this browser cannot record. Loads an AAC encoder where one is missing. */
export async function findObstacle(): Promise<"no_capture" | "no_encoder" | undefined> {
  if (!navigator.mediaDevices?.getUserMedia || typeof VideoEncoder === "undefined") {
    return typeof VideoEncoder === "undefined" ? "no_encoder" : "no_capture";
  }
  if (!(await canEncodeVideo("avc", { width: 1280, height: 720 }))) return "no_encoder";
  if (!(await canEncodeAudio("aac"))) {
    const { registerAacEncoder } = await import("@mediabunny/aac-encoder");
    registerAacEncoder();
  }
  return undefined;
}

const secondsNow = (): number => performance.now() / 1000;

export class Capture {
  readonly #output: Output;
  readonly #sink: CaptureSink;
  /** Own copies, because the library may end the tracks that it reads. */
  readonly #tracks: MediaStreamTrack[];
  #hasFailed = false;

  constructor(
    { video, audio }: CaptureTracks,
    shape: VideoShape,
    timeline: Timeline,
    sink: CaptureSink,
    paint: Painter = () => undefined,
  ) {
    this.#sink = sink;
    const [picture, sound] = [video.clone(), audio?.clone()];
    this.#tracks = sound ? [picture, sound] : [picture];
    this.#output = new Output({
      format: new HlsOutputFormat({
        segmentFormat: new CmafOutputFormat(),
        // A segment ends with the first keyframe behind this.
        targetDuration: FIRST_SEGMENT_SECONDS,
        live: true,
        onPlaylist: (text) => sink.takeLengths(listedSeconds(text)),
      }),
      target: new PathedTarget("master.m3u8", ({ path }) => targetFor(path, sink)),
    });
    const source = this.#videoSource(picture as MediaStreamVideoTrack, shape, timeline, paint);
    this.#output.addVideoTrack(source, { frameRate: shape.frameRate });
    if (sound) {
      this.#output.addAudioTrack(this.#audioSource(sound as MediaStreamAudioTrack, timeline));
    }
  }

  start(): Promise<void> {
    return this.#output.start();
  }

  /** Encodes what is captured, and hands the last segment on. */
  async stop(): Promise<void> {
    if (this.#hasFailed) return this.cancel();
    await this.#output.finalize();
    this.#release();
  }

  async cancel(): Promise<void> {
    if (this.#output.state === "started" || this.#output.state === "pending") {
      await this.#output.cancel();
    }
    this.#release();
  }

  #release(): void {
    for (const track of this.#tracks) track.stop();
  }

  #videoSource(
    track: MediaStreamVideoTrack,
    { width, height, frameRate, bitRate }: VideoShape,
    timeline: Timeline,
    paint: Painter,
  ): MediaStreamVideoTrackSource {
    let isFirst = timeline.seconds === 0;
    const source = new MediaStreamVideoTrackSource(
      track,
      {
        codec: "avc",
        quality: new Quality({ bitrate: bitRate }),
        keyFrameInterval: SEGMENT_SECONDS,
        sizeChangeBehavior: "contain",
        transform: {
          width,
          height,
          fit: "contain",
          alpha: "discard",
          process: (frame) => {
            const placed = timeline.place("video", frame.timestamp, secondsNow());
            if (!placed) return null;
            if (placed.gapSeconds > 0) this.#sink.onGap(placed.gapSeconds);
            const endsFirst = isFirst && placed.seconds >= FIRST_SEGMENT_SECONDS;
            if (endsFirst) isFirst = false;
            const encodeOptions = endsFirst ? { keyFrame: true } : {};
            const times = { timestamp: placed.seconds, duration: frame.duration || 1 / frameRate };
            const painted = paint(frame);
            if (painted) return new VideoSample(painted, { ...times, encodeOptions });
            frame.setTimestamp(placed.seconds);
            frame.setEncodeOptions(encodeOptions);
            return frame;
          },
        },
      },
      { frameRate },
    );
    this.#watch(source.errorPromise);
    return source;
  }

  #audioSource(track: MediaStreamAudioTrack, timeline: Timeline): MediaStreamAudioTrackSource {
    const source = new MediaStreamAudioTrackSource(track, {
      codec: "aac",
      quality: new Quality({ bitrate: AUDIO_BIT_RATE }),
      transform: {
        process: (sample: AudioSample) => {
          const placed = timeline.place("audio", sample.timestamp, secondsNow());
          if (!placed) return null;
          if (placed.gapSeconds > 0) this.#sink.onGap(placed.gapSeconds);
          sample.setTimestamp(placed.seconds);
          return sample;
        },
      },
    });
    this.#watch(source.errorPromise);
    return source;
  }

  #watch(errors: Promise<void>): void {
    errors.catch((error: unknown) => {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      this.#sink.onError(error);
    });
  }
}

/** Segments wait for the device. Playlists are written elsewhere, of what the edge has. */
function targetFor(path: string, sink: CaptureSink): BufferTarget | NullTarget {
  if (path.endsWith(".m3u8")) return new NullTarget();
  const take = (bytes: ArrayBuffer) =>
    path.includes("init-") ? sink.takeInit(bytes) : sink.takeSegment(bytes);
  return new BufferTarget({ onFinalize: take });
}
