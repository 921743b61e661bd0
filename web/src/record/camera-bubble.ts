// The camera in a bubble on the screen's picture.
import type { VideoSample } from "mediabunny";
import {
  BUBBLE_CORNER,
  BUBBLE_SIZE,
  type BubblePlace,
  insideVideo,
  middleSquare,
  type VideoShape,
} from "./shape.ts";

/** The latest frame of a camera. A background tab keeps getting frames, too. */
class CameraFrames {
  #latest: VideoFrame | undefined;
  #reader: ReadableStreamDefaultReader<VideoFrame> | undefined;
  #video: HTMLVideoElement | undefined;

  constructor(track: MediaStreamVideoTrack) {
    if (typeof MediaStreamTrackProcessor === "undefined") {
      this.#video = Object.assign(document.createElement("video"), {
        muted: true,
        playsInline: true,
        srcObject: new MediaStream([track]),
      });
      void this.#video.play().catch(() => {});
      return;
    }
    this.#reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    void this.#read(this.#reader);
  }

  /** The frame and its size, or nothing before the first. */
  get current(): { picture: CanvasImageSource; width: number; height: number } | undefined {
    if (this.#latest) {
      const { displayWidth: width, displayHeight: height } = this.#latest;
      return { picture: this.#latest, width, height };
    }
    const video = this.#video;
    if (!video?.videoWidth) return undefined;
    return { picture: video, width: video.videoWidth, height: video.videoHeight };
  }

  close(): void {
    void this.#reader?.cancel().catch(() => {});
    if (this.#video) this.#video.srcObject = null;
    this.#latest?.close();
    this.#latest = undefined;
  }

  async #read(reader: ReadableStreamDefaultReader<VideoFrame>): Promise<void> {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      this.#latest?.close();
      this.#latest = value;
    }
    this.#latest?.close();
    this.#latest = undefined;
  }
}

export class CameraBubble {
  place: BubblePlace = BUBBLE_CORNER;
  #frames: CameraFrames | undefined;
  #canvas: OffscreenCanvas | undefined;

  setCamera(track: MediaStreamVideoTrack | undefined): void {
    this.#frames?.close();
    this.#frames = track && new CameraFrames(track);
  }

  /** Draws frame and bubble. Returns nothing if there is no camera. */
  readonly paint = (
    frame: VideoSample,
    { width, height }: VideoShape,
  ): OffscreenCanvas | undefined => {
    const camera = this.#frames?.current;
    if (!camera) return undefined;
    if (this.#canvas?.width !== width || this.#canvas.height !== height) {
      this.#canvas = new OffscreenCanvas(width, height);
    }
    const context = this.#canvas.getContext("2d", { alpha: false });
    if (!context) return undefined;
    frame.draw(context, 0, 0, width, height);
    const { x, y } = insideVideo(this.place, width, height);
    const radius = (BUBBLE_SIZE * Math.min(width, height)) / 2;
    const square = middleSquare(camera.width, camera.height);
    context.save();
    context.beginPath();
    context.arc(x * width, y * height, radius, 0, 2 * Math.PI);
    context.clip();
    context.drawImage(
      camera.picture,
      square.x,
      square.y,
      square.side,
      square.side,
      x * width - radius,
      y * height - radius,
      2 * radius,
      2 * radius,
    );
    context.restore();
    return this.#canvas;
  };
}
