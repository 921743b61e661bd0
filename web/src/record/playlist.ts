// Playlists of a recording (RFC 8216). Pure.
import type { TrackFacts } from "./mp4.ts";

/** Length of a Media Segment. */
export const SEGMENT_SECONDS = 2;
/**
 * `EXT-X-TARGETDURATION`, which must not change. A frame may be late by nearly `LONGEST_GAP_SECONDS`
 * of the timeline before a segment can end.
 */
export const TARGET_SECONDS = 4;
/** Shortest end of a recording. hls.js fires no `ended` after a shorter one. */
export const SHORTEST_TAIL_SECONDS = 0.25;
export const MASTER = "master.m3u8";
/** The empty object that starts the packaging. */
export const ENDED = "ended";

export interface ListedSegment {
  number: number;
  seconds: number;
  bytes: number;
}

/** Names of an attempt's objects. Each new attempt has new names, so that no cache mixes them. */
export const names = {
  init: (attempt: number) => `init-${attempt}.m4s`,
  playlist: (attempt: number) => `playlist-${attempt}.m3u8`,
  segment: (attempt: number, number: number) => `segment-${attempt}-${number}.m4s`,
};

/** Writes the Media Playlist of the stored segments. */
export function mediaPlaylist(
  attempt: number,
  segments: readonly ListedSegment[],
  isEnded: boolean,
): string {
  const lines = [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    `#EXT-X-TARGETDURATION:${TARGET_SECONDS}`,
    "#EXT-X-PLAYLIST-TYPE:EVENT",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES",
    `#EXT-X-MAP:URI="${names.init(attempt)}"`,
  ];
  for (const { number, seconds } of segments) {
    lines.push(`#EXTINF:${seconds.toFixed(6)},`, names.segment(attempt, number));
  }
  if (isEnded) lines.push("#EXT-X-ENDLIST");
  return `${lines.join("\n")}\n`;
}

/** Writes the Multivariant Playlist. `ceiling` bounds the bit rate of segments to come. */
export function multivariantPlaylist(
  attempt: number,
  tracks: readonly TrackFacts[],
  segments: readonly ListedSegment[],
  { frameRate, ceiling = 0 }: { frameRate: number; ceiling?: number },
): string {
  const { peak, average } = bitRates(segments);
  const video = tracks.find(({ kind }) => kind === "video");
  const attributes = [
    `BANDWIDTH=${Math.max(peak, ceiling, 1)}`,
    ...(average > 0 && ceiling === 0 ? [`AVERAGE-BANDWIDTH=${average}`] : []),
    `CODECS="${tracks.map(({ codec }) => codec).join(",")}"`,
    ...(video ? [`RESOLUTION=${video.width}x${video.height}`] : []),
    ...(video ? [`FRAME-RATE=${frameRate.toFixed(3)}`] : []),
    "CLOSED-CAPTIONS=NONE",
  ];
  return [
    "#EXTM3U",
    "#EXT-X-VERSION:7",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    `#EXT-X-STREAM-INF:${attributes.join(",")}`,
    names.playlist(attempt),
    "",
  ].join("\n");
}

/** Bits in a second: the largest of a segment, and of all. */
export function bitRates(segments: readonly ListedSegment[]): { peak: number; average: number } {
  const rate = (bytes: number, seconds: number) => (seconds > 0 ? Math.ceil((8 * bytes) / seconds) : 0);
  let [bytes, seconds, peak] = [0, 0, 0];
  for (const segment of segments) {
    bytes += segment.bytes;
    seconds += segment.seconds;
    // RFC 8216 §4.3.4.2 measures spans of at least half the target duration.
    if (segment.seconds >= TARGET_SECONDS / 2 - 0.1 || segments.length === 1) {
      peak = Math.max(peak, rate(segment.bytes, segment.seconds));
    }
  }
  const average = rate(bytes, seconds);
  return { peak: Math.max(peak, average), average };
}

/** Lengths of the segments in a playlist of the muxer. */
export function listedSeconds(playlist: string): number[] {
  return [...playlist.matchAll(/^#EXTINF:([\d.]+)/gm)].map(([, seconds]) => Number(seconds));
}

/** Returns whether a segment may be the last: players need video, and some length of it. */
export function mayEnd({ hasVideo, seconds }: { hasVideo: boolean; seconds: number }): boolean {
  return hasVideo && seconds >= SHORTEST_TAIL_SECONDS;
}
