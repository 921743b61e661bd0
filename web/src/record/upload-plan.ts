// The order in which a recording is stored. A segment is stored before a playlist names it, and
// playlists name segments in order. Pure.

/** The state of a recording at the edge, and of what waits for it. */
export interface UploadState {
  /** The initialization section exists on the device. */
  hasInit: boolean;
  isInitStored: boolean;
  /** Segments on the device, in order, from the first. */
  segments: readonly { number: number; isStored: boolean }[];
  /** Segments that the stored Media Playlist names. */
  listed: number;
  /** Time of the last stored Media Playlist, in milliseconds. */
  listedAt: number;
  isMasterStored: boolean;
  /** The recording is complete on the device. */
  isStopped: boolean;
  isEndListed: boolean;
  isIFramesStored: boolean;
  isMasterFinal: boolean;
  isAnnounced: boolean;
}

export type UploadStep =
  | { kind: "init" }
  | { kind: "segments"; numbers: number[] }
  | { kind: "playlist"; count: number; isEnded: boolean }
  | { kind: "i_frames" }
  | { kind: "master"; isFinal: boolean }
  | { kind: "announce" };

/** Segments that are stored at once. */
const LANES = 3;
/** The time between Media Playlists while older segments are being stored, in milliseconds. */
const LISTING_MS = 2_000;
/** The same behind a long line of segments: a slow line has no room for many playlists. */
const LATE_LISTING_MS = 10_000;
/**
 * The time after which an unchanged Media Playlist is stored again, in milliseconds. The edge ends
 * a playlist that was not stored for 90 seconds.
 */
export const HEARTBEAT_MS = 25_000;

/** Returns the next object to store. */
export function nextStep(state: UploadState, nowMs: number): UploadStep | undefined {
  const { segments, listed, isStopped } = state;
  if (!state.hasInit) return undefined;
  if (!state.isInitStored) return { kind: "init" };
  const waiting = segments.findIndex(({ isStored }) => !isStored);
  const stored = waiting === -1 ? segments.length : waiting;
  const isComplete = isStopped && stored === segments.length;
  const late = segments.length - stored > LANES;
  const listingMs = late ? LATE_LISTING_MS : LISTING_MS;
  const list: UploadStep = { kind: "playlist", count: stored, isEnded: isComplete };
  if (stored > listed && (listed === 0 || nowMs - state.listedAt >= listingMs)) return list;
  if (listed > 0 && !state.isMasterStored) return { kind: "master", isFinal: false };
  const next = segments.slice(stored).filter(({ isStored }) => !isStored);
  if (next.length > 0) {
    return { kind: "segments", numbers: next.slice(0, LANES).map(({ number }) => number) };
  }
  if (segments.length === 0) return undefined;
  if (isComplete) {
    if (!state.isEndListed) return list;
    if (!state.isIFramesStored) return { kind: "i_frames" };
    if (!state.isMasterFinal) return { kind: "master", isFinal: true };
    return state.isAnnounced ? undefined : { kind: "announce" };
  }
  const isDue = stored > listed || nowMs - state.listedAt >= HEARTBEAT_MS;
  return isDue ? list : undefined;
}

export type UploadVerdict = "stored" | "retry" | "new_link" | "exists" | "refused";

/** Judges the answer to a request. No answer has status 0. */
export function judge(status: number): UploadVerdict {
  if (status >= 200 && status < 300) return "stored";
  if (status === 0 || status === 408 || status === 429 || status >= 500) return "retry";
  if (status === 401 || status === 403) return "new_link";
  return status === 412 ? "exists" : "refused";
}

/** The wait before a request is repeated, in milliseconds. */
export function retryMs(failures: number, random: number): number {
  const longest = Math.min(15_000, 500 * 2 ** Math.min(failures, 5));
  return Math.round(longest * (0.5 + random / 2));
}
