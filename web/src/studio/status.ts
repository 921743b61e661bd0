// The packager's status of an uploaded file: `intro.mp4.status.json` beside `intro.mp4`. Pure.

/** The largest status that the page reads, in bytes. */
export const MAX_STATUS_BYTES = 64 << 10;
const MAX_TEXT_LENGTH = 500;
const MAX_CODE_LENGTH = 40;
const MAX_RUNGS = 20;
/** Failures that end a job. The queue repeats a job that failed otherwise. */
const FINAL_FAILURES: ReadonlySet<string> = new Set(["too_large", "too_long", "given_up"]);

const STATES = ["waiting", "packaging", "playing", "done", "failed"] as const;

export interface PackagingStatus {
  state: (typeof STATES)[number];
  /** 0 to 100. */
  percent?: number;
  /** The decoded path of the lecture's folder. */
  lecture?: string;
  /** The names of the rungs that play, such as `480p`. */
  rungs: string[];
  /** The reason of a failure in words, and its stable code. */
  failure?: string;
  failureCode?: string;
  /** Seconds since 1970. */
  updated?: number;
}

/** Parses a status. Returns nothing for other texts. */
export function parseStatus(text: string): PackagingStatus | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { state, percent, lecture, rungs, error, updated } = json as Record<string, unknown>;
  const known = STATES.find((name) => name === state);
  if (!known) return undefined;
  const isPercent = typeof percent === "number" && percent >= 0 && percent <= 100;
  const isFolder = typeof lecture === "string" && /^\/[^\u0000-\u001f]+\/$/.test(lecture);
  const isObject = typeof error === "object" && error !== null;
  const { text: failure, code } = (isObject ? error : {}) as { text?: unknown; code?: unknown };
  const names = Array.isArray(rungs) ? rungs.filter((rung) => typeof rung === "string") : [];
  return {
    state: known,
    rungs: names.slice(0, MAX_RUNGS).map((name: string) => name.slice(0, MAX_TEXT_LENGTH)),
    ...(isPercent && { percent: Math.floor(percent) }),
    ...(isFolder && { lecture: lecture.slice(0, MAX_TEXT_LENGTH) }),
    ...(typeof failure === "string" && { failure: failure.slice(0, MAX_TEXT_LENGTH) }),
    ...(typeof code === "string" && { failureCode: code.slice(0, MAX_CODE_LENGTH) }),
    ...(typeof updated === "number" && { updated }),
  };
}

/** Returns whether a state never changes again. */
export function isFinal({ state, failureCode = "" }: PackagingStatus): boolean {
  return state === "done" || (state === "failed" && FINAL_FAILURES.has(failureCode));
}

/** Returns whether a status is that of this upload, and not an earlier one of the same name. */
export function isNewer({ updated }: PackagingStatus, before: number | undefined): boolean {
  return before === undefined || updated === undefined || updated > before;
}

const FIRST_POLL_MS = 2_000;
const LONGEST_POLL_MS = 30_000;

/** The delay before the next question, after so many answers without news. */
export function pollDelayMs(unchanged: number): number {
  return Math.min(LONGEST_POLL_MS, FIRST_POLL_MS * 1.4 ** Math.min(unchanged, 20));
}

/**
 * Returns whether a play link is that of a lecture. The only upload of a page needs no folder,
 * because the link is for it.
 */
export function isWatchLinkOf(watch: URL, lecture: string | undefined, uploads: number): boolean {
  if (lecture === undefined) return uploads === 1;
  const folder = lecture.split("/").map(encodeURIComponent).join("/");
  return watch.pathname.startsWith(folder);
}
