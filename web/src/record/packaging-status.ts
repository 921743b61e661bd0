// The state of the packaging, from `status.json` beside the recording. Pure.

export interface PackagingStatus {
  state: "waiting" | "packaging" | "playing" | "done" | "failed";
  percent: number;
  rungs: string[];
  /** The reason of a failure. */
  text: string;
  /** The state never changes again. */
  isFinal: boolean;
}

const STATES: ReadonlySet<string> = new Set(["waiting", "packaging", "playing", "done", "failed"]);
const MOST_RUNGS = 20;
/** Failures that end a job. The queue repeats a job that failed otherwise. */
const FINAL_FAILURES: ReadonlySet<unknown> = new Set(["too_large", "too_long", "given_up"]);

/** Reads a status. Returns nothing for anything else. */
export function readStatus(text: string): PackagingStatus | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof found !== "object" || found === null) return undefined;
  const { state, percent, rungs, error } = found as Record<string, unknown>;
  if (typeof state !== "string" || !STATES.has(state)) return undefined;
  const { text: reason, code } = (typeof error === "object" && error ? error : {}) as {
    text?: unknown;
    code?: unknown;
  };
  return {
    state: state as PackagingStatus["state"],
    percent: typeof percent === "number" ? Math.min(100, Math.max(0, percent)) : 0,
    rungs: Array.isArray(rungs)
      ? rungs.filter((rung) => typeof rung === "string").slice(0, MOST_RUNGS)
      : [],
    isFinal: state === "done" || (state === "failed" && FINAL_FAILURES.has(code)),
    text: typeof reason === "string" ? reason.slice(0, 500) : "",
  };
}

/** The wait before the next question, in milliseconds. Without news it grows. */
export function askAgainMs(silentAnswers: number): number {
  return Math.min(30_000, 2_000 * 1.5 ** Math.min(silentAnswers, 8));
}
