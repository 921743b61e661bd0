// Sizes, rates and places of a recording's video. Pure.

export interface VideoShape {
  width: number;
  height: number;
  frameRate: number;
  bitRate: number;
}

/** Heights of the setting, the largest first. */
export const HEIGHTS = [1080, 720, 480] as const;
export const FRAME_RATE = 30;
export const AUDIO_BIT_RATE = 128_000;
/** Frame rates below the first, for a computer that cannot keep up: one of so many frames. */
export const DECIMATIONS = [1, 2, 3, 5] as const;
/** Share of dropped frames from which the recording gets smaller. */
const TOO_MANY_DROPPED = 0.1;
const FEWEST_FRAMES = 20;

/** Fits a source into a height of the setting, with its aspect ratio and even sides. */
export function shapeOf(width: number, height: number, limit: number): VideoShape {
  const [shorter, longer] = [Math.min(width, height) || limit, Math.max(width, height) || limit];
  const scale = Math.min(1, limit / shorter, (limit * 16) / 9 / longer);
  const even = (side: number) => Math.max(2, 2 * Math.round((side * scale) / 2));
  const [fittedWidth, fittedHeight] = [even(width || limit), even(height || limit)];
  const bits = fittedWidth * fittedHeight * FRAME_RATE * 0.06;
  const bitRate = Math.round(Math.min(6_000_000, Math.max(400_000, bits)));
  return { width: fittedWidth, height: fittedHeight, frameRate: FRAME_RATE, bitRate };
}

/** The highest bit rate that the Multivariant Playlist names before it is measured. */
export function ceilingOf({ bitRate }: VideoShape, hasAudio: boolean): number {
  return 2 * bitRate + (hasAudio ? 2 * AUDIO_BIT_RATE : 0);
}

/** Returns whether the encoder drops too many frames. */
export function isOverloaded({ offered, dropped }: { offered: number; dropped: number }): boolean {
  return offered >= FEWEST_FRAMES && dropped / offered > TOO_MANY_DROPPED;
}

/** The next lower height of the setting. */
export function lowerHeight(height: number): number | undefined {
  return HEIGHTS.find((lower) => lower < height);
}

/** The place of the camera's bubble: its centre, as shares of the video's width and height. */
export interface BubblePlace {
  x: number;
  y: number;
}

/** Diameter of the bubble as a share of the video's shorter side. */
export const BUBBLE_SIZE = 0.28;
export const BUBBLE_CORNER: BubblePlace = { x: 0.88, y: 0.8 };

/** Keeps the whole bubble inside a video. */
export function insideVideo(place: BubblePlace, width: number, height: number): BubblePlace {
  const radius = (BUBBLE_SIZE * Math.min(width, height)) / 2;
  const clamp = (share: number, side: number) =>
    Math.min(1 - radius / side, Math.max(radius / side, share));
  return { x: clamp(place.x, width), y: clamp(place.y, height) };
}

/** The square in the middle of a camera's frame. */
export function middleSquare(
  width: number,
  height: number,
): { x: number; y: number; side: number } {
  const side = Math.min(width, height);
  return { x: (width - side) / 2, y: (height - side) / 2, side };
}
