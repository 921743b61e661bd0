// The settings of hls.js: how much to load, and in which quality. Pure.
import type { HlsConfig } from "hls.js";

/** The height at which low-data playback ends, in lines of the shorter side. */
const LOW_DATA_LINES = 480;
/** Seconds to load ahead, at most: hls.js's own, and those of low-data playback. */
const AHEAD = { maxBufferLength: 30, maxMaxBufferLength: 600 };
const AHEAD_LOW_DATA = { maxBufferLength: 15, maxMaxBufferLength: 15 };

/** The facts about a viewer's line. */
export interface LineFacts {
  /** The last visit's estimate, in bits a second. */
  bandwidth?: number;
  isLowData: boolean;
}

/** A rung, as hls.js lists it. */
export interface Rung {
  width: number;
  height: number;
}

/** Settings for the first segment and those after it. */
export function abrSettings({ bandwidth, isLowData }: LineFacts): Partial<HlsConfig> {
  const known = { startLevel: -1, testBandwidth: false, abrEwmaDefaultEstimate: bandwidth };
  return {
    // Measured on slow networks: the lowest rung starts in 2 s, the middle one in 12 s.
    ...(bandwidth === undefined || isLowData ? { startLevel: 0 } : known),
    capLevelToPlayerSize: true,
    // A lecture of hours does not fit into the browser's memory.
    backBufferLength: 60,
    ...aheadSettings(isLowData),
  };
}

/** Settings that change while a lecture plays. */
export function aheadSettings(isLowData: boolean): typeof AHEAD {
  return isLowData ? AHEAD_LOW_DATA : AHEAD;
}

/** The shorter side of a rung, by which people name it. */
export function linesOf({ width, height }: Rung): number {
  return Math.min(width || height, height);
}

/** The largest rung for low-data playback: the tallest of at most 480 lines, else the smallest. */
export function lowDataLevel(rungs: readonly Rung[]): number {
  const lines = rungs.map(linesOf);
  const fitting = lines.filter((count) => count > 0 && count <= LOW_DATA_LINES);
  return Math.max(0, fitting.length > 0 ? lines.lastIndexOf(Math.max(...fitting)) : 0);
}
