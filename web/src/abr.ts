// The settings of hls.js: how much to load, and in which quality. Pure.
import type { HlsConfig } from "hls.js";

/** The height at which low-data playback ends, in lines of the shorter side. */
const LOW_DATA_LINES = 480;
/** Seconds to load ahead, at most: usually, and with low data. */
const AHEAD = { maxBufferLength: 60, maxMaxBufferLength: 60 };
const AHEAD_LOW_DATA = { maxBufferLength: 15, maxMaxBufferLength: 15 };

/**
 * The share of the estimated bandwidth that a rung may take while less than so many seconds are
 * loaded. A line that fades within a segment then still carries it.
 */
const CAUTION = [
  { below: 8, share: 0.25 },
  { below: 20, share: 0.4 },
];

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
    // With 60 seconds ahead, a rung that the line hardly carries is a stall in the next tunnel.
    abrBandWidthFactor: 0.8,
    abrBandWidthUpFactor: 0.45,
    capLevelToPlayerSize: true,
    // A lecture of hours does not fit into the browser's memory.
    backBufferLength: 60,
    ...aheadSettings(isLowData),
  };
}

/** A rung to load from. */
export interface Source {
  /** Bits per second. */
  bitrate: number;
  /** The number of failed loads since the last that succeeded. */
  loadError: number;
}

/**
 * Returns the rung to load next: hls.js's choice, or a smaller one while little is loaded. The
 * smallest of `sources` comes first. hls.js leaves a rung that fails, and this does not return to
 * it.
 */
export function cautiousLevel(
  choice: number,
  sources: readonly Source[],
  bandwidth: number,
  secondsAhead: number,
): number {
  const rule = CAUTION.find(({ below }) => secondsAhead < below);
  if (!rule) return choice;
  const most = bandwidth * rule.share;
  const loads = sources.slice(0, choice + 1).map(({ loadError }) => loadError === 0);
  const fitting = loads.map((loads, level) => loads && (sources[level]?.bitrate ?? 0) <= most);
  const level = fitting.includes(true) ? fitting.lastIndexOf(true) : loads.indexOf(true);
  return level === -1 ? choice : level;
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
