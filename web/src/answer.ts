// Answers of the edge. A network that asks for a login, or a filter, answers in its place: with a
// page, and any status. Such an answer says nothing about the lecture.

/** The edge's refusal (RFC 9457). */
export interface Problem {
  code?: string;
  title?: string;
}

/** The code of the service worker after the end of a device's copy, while no edge answers. */
export const COPY_ENDED = "copy_ended";

/** Returns whether time alone ended what was opened, so that opening it again may help. */
export function hasEnded(code: string | undefined): boolean {
  return code === "expired" || code === COPY_ENDED;
}

/** The refusal in an answer, or `undefined` if the edge did not send it. */
export async function problemIn(answer: Response): Promise<Problem | undefined> {
  const problem: unknown = await answer.json().catch(() => undefined);
  const isObject = typeof problem === "object" && problem !== null;
  const isProblem = isObject && "code" in problem && typeof problem.code === "string";
  return isProblem ? (problem as Problem) : undefined;
}

/** The time limit for the edge's reason, in milliseconds. */
const REASON_MS = 10_000;

/** Asks the edge why a URL does not open. `undefined` if it opens. */
export async function reasonOf(
  url: URL,
  headers: Record<string, string>,
): Promise<Problem | "unreachable" | undefined> {
  try {
    // A refusal is short, and what opens may have hours: one byte of it is enough.
    const answer = await fetch(url, {
      cache: "no-store",
      headers: { ...headers, Range: "bytes=0-0" },
      signal: AbortSignal.timeout(REASON_MS),
    });
    if (answer.ok) void answer.body?.cancel();
    if (!answer.ok) return (await problemIn(answer)) ?? "unreachable";
    return answer.headers.get("content-type")?.startsWith("text/html") ? "unreachable" : undefined;
  } catch {
    return "unreachable";
  }
}

/** Refusals that pass. */
const PASSING = new Set(["rate_limited", "storage_unavailable", "busy", "misconfigured"]);

/** The step after a load that failed for good. */
export type NextStep = "wait" | "reopen" | "ask" | "stop";

/** The facts about a failed load. */
export interface FailedLoad {
  /** The answer's status, 0 without one. 200 if the answer could not be read. */
  status: number;
  /** The edge's reason. */
  reason: Problem | "unreachable" | undefined;
  /** The link itself has ended. */
  isLinkOver: boolean;
  /** The player has opened the link again, or asked for a new one, since something last loaded. */
  hasReopened: boolean;
  hasAsked: boolean;
}

/** Decides the next step after a load that failed for good. */
export function nextStep(failed: FailedLoad): NextStep {
  const { status, reason, isLinkOver, hasReopened, hasAsked } = failed;
  if (reason === "unreachable") return "wait";
  if (reason === undefined) {
    if (status === 200) return "stop";
    // It opens by now, with newer passes perhaps.
    return hasReopened ? "wait" : "reopen";
  }
  if (PASSING.has(reason.code ?? "")) return "wait";
  if (!hasEnded(reason.code)) return "stop";
  if (!isLinkOver && !hasReopened) return "reopen";
  return hasAsked ? "stop" : "ask";
}
