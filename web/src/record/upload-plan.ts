// The order in which a recording is stored. A playlist names stored segments only, in order. Pure.

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
  | { kind: "segment"; number: number }
  | { kind: "playlist"; count: number; isEnded: boolean }
  | { kind: "i_frames" }
  | { kind: "master"; isFinal: boolean }
  | { kind: "announce" };

/** Segments that are on their way at once. */
export const LANES = 3;
/** The time between Media Playlists while older segments are being stored, in milliseconds. */
const LISTING_MS = 2_000;
/** The same behind a long line of segments: a slow line has no room for many playlists. */
const LATE_LISTING_MS = 10_000;
/**
 * The time after which an unchanged Media Playlist is stored again, in milliseconds. The edge ends
 * a playlist that was not stored for 90 seconds.
 */
export const HEARTBEAT_MS = 25_000;

/** The lane of a step. Two steps of one lane store the same object, so they never overlap. */
export function laneOf(step: UploadStep): string {
  return step.kind === "segment" ? `segment ${step.number}` : step.kind;
}

/** Returns the next object to store beside those whose lanes are busy. */
export function nextStep(
  state: UploadState,
  busy: ReadonlySet<string>,
  nowMs: number,
): UploadStep | undefined {
  return wantedSteps(state, nowMs).find((step) => !busy.has(laneOf(step)));
}

/** Objects that may be stored now, the most urgent first. */
function wantedSteps(state: UploadState, nowMs: number): UploadStep[] {
  const { segments, isInitStored, isStopped } = state;
  if (!state.hasInit) return [];
  const waiting = segments.findIndex(({ isStored }) => !isStored);
  const count = waiting === -1 ? segments.length : waiting;
  const isComplete = isStopped && count === segments.length;
  const isPlayable = isInitStored && count > 0;
  const steps: UploadStep[] = [];
  if (!isInitStored) steps.push({ kind: "init" });
  if (isPlayable && isListingDue(state, count, nowMs)) {
    steps.push({ kind: "playlist", count, isEnded: isComplete });
  }
  if (isPlayable && !state.isMasterStored) steps.push({ kind: "master", isFinal: false });
  const next = segments.slice(count).filter(({ isStored }) => !isStored);
  for (const { number } of next.slice(0, LANES)) steps.push({ kind: "segment", number });
  if (!isPlayable || !isComplete) return steps;
  if (!state.isIFramesStored) steps.push({ kind: "i_frames" });
  else if (!state.isEndListed || !state.isMasterStored) return steps;
  else if (!state.isMasterFinal) steps.push({ kind: "master", isFinal: true });
  else if (!state.isAnnounced) steps.push({ kind: "announce" });
  return steps;
}

/** Returns whether the Media Playlist of the first `count` segments is to be stored. */
function isListingDue(state: UploadState, count: number, nowMs: number): boolean {
  const { segments, listed, listedAt, isEndListed } = state;
  if (isEndListed) return false;
  const unstored = segments.length - count;
  if (unstored === 0 && (count > listed || state.isStopped)) return true;
  if (nowMs - listedAt >= HEARTBEAT_MS) return true;
  const listingMs = unstored > LANES ? LATE_LISTING_MS : LISTING_MS;
  return count > listed && (listed === 0 || nowMs - listedAt >= listingMs);
}

/**
 * Conditions for the Multivariant Playlist, in the order of tries: the folder has none, or has one
 * of this recording. `tags` are entity-tags of those that were sent. The answer to one may be lost.
 */
export function masterConditions(
  isStored: boolean,
  tags: readonly string[],
): Record<string, string>[] {
  const isAbsent = { "If-None-Match": "*" };
  if (tags.length === 0) return [isAbsent];
  const isOwn = { "If-Match": tags.join(", ") };
  return isStored ? [isOwn, isAbsent] : [isAbsent, isOwn];
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
