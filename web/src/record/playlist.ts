// Playlists of a recording (RFC 8216). Pure.
import type { TrackFacts } from "./mp4.ts";

/** Length of a Media Segment. */
export const SEGMENT_SECONDS = 2;
/**
 * Length of the first, so that others can watch sooner. Less than half of the others: it has no
 * frame rate of its own.
 */
export const FIRST_SEGMENT_SECONDS = 0.8;
/**
 * `EXT-X-TARGETDURATION`, which must not change. The frame that ends a segment may be late by
 * nearly `LONGEST_GAP_SECONDS` of the timeline.
 */
export const TARGET_SECONDS = 4;
/** Shortest end of a recording. hls.js fires no `ended` after a shorter one. */
export const SHORTEST_TAIL_SECONDS = 0.25;
/** Segments of a run whose bit rate is measured. */
const LONGEST_RUN = 32;
export const MASTER = "master.m3u8";
/** The empty object that starts the packaging. */
export const ENDED = "ended";

export interface ListedSegment {
  number: number;
  seconds: number;
  bytes: number;
  frames: number;
  /** Length of the frames, as the segment itself says. */
  frameSeconds: number;
  keyframe: { offset: number; bytes: number } | undefined;
}

/**
 * Names of a recording's objects. Its random id keeps two recordings in one folder apart, and no
 * cache mixes them.
 */
export const names = {
  init: (id: string) => `init-${id}.m4s`,
  playlist: (id: string) => `playlist-${id}.m3u8`,
  iFrames: (id: string) => `iframes-${id}.m3u8`,
  segment: (id: string, number: number) => `segment-${id}-${number}.m4s`,
};

/** Makes an id of 12 hexadecimal digits. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Writes the Media Playlist of the stored segments. It is an event until its end, and a recording
 * from then on.
 */
export function mediaPlaylist(
  id: string,
  segments: readonly ListedSegment[],
  isEnded: boolean,
): string {
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${TARGET_SECONDS}`,
    `#EXT-X-PLAYLIST-TYPE:${isEnded ? "VOD" : "EVENT"}`,
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES",
    `#EXT-X-MAP:URI="${names.init(id)}"`,
  ];
  for (const { number, seconds } of segments) {
    lines.push(`#EXTINF:${seconds.toFixed(6)},`, names.segment(id, number));
  }
  if (isEnded) lines.push("#EXT-X-ENDLIST");
  return `${lines.join("\n")}\n`;
}

/** Writes the I-frame playlist of a recording that has ended. Players show it while they seek. */
export function iFramePlaylist(id: string, segments: readonly ListedSegment[]): string {
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${TARGET_SECONDS}`,
    "#EXT-X-PLAYLIST-TYPE:VOD",
    "#EXT-X-I-FRAMES-ONLY",
    `#EXT-X-MAP:URI="${names.init(id)}"`,
  ];
  for (const { number, seconds, keyframe } of segments) {
    if (!keyframe) continue;
    lines.push(
      `#EXTINF:${seconds.toFixed(6)},`,
      `#EXT-X-BYTERANGE:${keyframe.bytes}@${keyframe.offset}`,
      names.segment(id, number),
    );
  }
  return `${lines.join("\n")}\n#EXT-X-ENDLIST\n`;
}

/**
 * Writes the Multivariant Playlist. `ceiling` bounds the bit rate of segments to come; without it,
 * the recording has ended, and the rates are measured.
 */
export function multivariantPlaylist(
  id: string,
  tracks: readonly TrackFacts[],
  segments: readonly ListedSegment[],
  { frameRate, ceiling }: { frameRate: number; ceiling?: number | undefined },
): string {
  const { peak, average } = bitRates(segments);
  const video = tracks.find(({ kind }) => kind === "video");
  const size = video ? [`RESOLUTION=${video.width}x${video.height}`] : [];
  const isEnded = ceiling === undefined;
  const rate = isEnded ? highestFrameRate(segments) : frameRate;
  const attributes = [
    `BANDWIDTH=${Math.max(peak, ceiling ?? 1)}`,
    ...(isEnded ? [`AVERAGE-BANDWIDTH=${average}`] : []),
    `CODECS="${tracks.map(({ codec }) => codec).join(",")}"`,
    ...size,
    ...(video ? [`FRAME-RATE=${rate.toFixed(3)}`] : []),
    "CLOSED-CAPTIONS=NONE",
  ];
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    `#EXT-X-STREAM-INF:${attributes.join(",")}`,
    names.playlist(id),
  ];
  if (isEnded && video) {
    const frames = segments.map((one) => ({ ...one, bytes: one.keyframe?.bytes ?? 0 }));
    const codecs = `CODECS="${video.codec}"`;
    const rates = [`BANDWIDTH=${bitRates(frames).peak}`, codecs, ...size];
    lines.push(`#EXT-X-I-FRAME-STREAM-INF:${rates.join(",")},URI="${names.iFrames(id)}"`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * Bits in a second: of all segments, and the largest of a run that lasts 0.5 to 1.5 target
 * durations (RFC 8216bis §4.1).
 */
export function bitRates(segments: readonly ListedSegment[]): { peak: number; average: number } {
  const rate = (bytes: number, seconds: number) => Math.ceil((8 * bytes) / (seconds || 1));
  let peak = 0;
  for (let first = 0; first < segments.length; first++) {
    let [bytes, seconds] = [0, 0];
    for (const segment of segments.slice(first, first + LONGEST_RUN)) {
      bytes += segment.bytes;
      seconds += segment.seconds;
      if (seconds > 1.5 * TARGET_SECONDS) break;
      if (seconds >= 0.5 * TARGET_SECONDS) peak = Math.max(peak, rate(bytes, seconds));
    }
  }
  const total = segments.reduce(
    (sum, { bytes, seconds }) => ({ bytes: sum.bytes + bytes, seconds: sum.seconds + seconds }),
    { bytes: 0, seconds: 0 },
  );
  const average = rate(total.bytes, total.seconds);
  return { peak: Math.max(peak, average), average };
}

/** The highest frame rate of a segment that is at least half as long as the longest. */
export function highestFrameRate(segments: readonly ListedSegment[]): number {
  const longest = segments.reduce((most, { frameSeconds }) => Math.max(most, frameSeconds), 0);
  return segments.reduce((most, { frames, frameSeconds }) => {
    const counts = frameSeconds > 0 && 2 * frameSeconds >= longest;
    return counts ? Math.max(most, frames / frameSeconds) : most;
  }, 0);
}

/** Lengths of the segments in a playlist of the muxer. */
export function listedSeconds(playlist: string): number[] {
  return [...playlist.matchAll(/^#EXTINF:([\d.]+)/gm)].map(([, seconds]) => Number(seconds));
}

/** Returns whether a segment may be the last: players need video, and some length of it. */
export function mayEnd({ hasVideo, seconds }: { hasVideo: boolean; seconds: number }): boolean {
  return hasVideo && seconds >= SHORTEST_TAIL_SECONDS;
}
