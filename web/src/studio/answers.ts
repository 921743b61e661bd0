// The edge's answers to an upload, and delays before a request is repeated. Pure.

/** The edge's answer, or status 0 if none came. */
export interface EdgeAnswer {
  status: number;
  /** The stable code of a refusal (RFC 9457). */
  code?: string;
  /** The reason of a refusal in words. */
  detail?: string;
  /** Seconds, as the header `Retry-After` says. */
  retryAfter?: string | null;
  body?: string;
}

export type Verdict =
  | "done"
  /** The same request may succeed later. */
  | "retry"
  /** The link has expired or was withdrawn: a new one goes on. */
  | "link"
  /** A condition is false: an object has this name. */
  | "exists"
  /** The edge does not know the upload in parts any more. */
  | "gone"
  | "refused";

const PASSING = new Set([0, 408, 425, 429, 500, 502, 503, 504]);
const NEEDS_LINK = new Set(["expired", "revoked", "missing_token"]);

export function judge({ status, code }: EdgeAnswer): Verdict {
  if (status >= 200 && status < 300) return "done";
  // A key that is missing in the configuration does not come back within minutes.
  if (code === "misconfigured") return "refused";
  if (code !== undefined && NEEDS_LINK.has(code)) return "link";
  if (status === 412) return "exists";
  if (status === 404 && code === "no_upload") return "gone";
  return PASSING.has(status) ? "retry" : "refused";
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const LONGEST_ASKED_MS = 60_000;

/**
 * The delay after attempt `attempt` (from 0): `Retry-After`, or a random share of a doubling time,
 * so that parallel failures do not return together. `random` lies between 0 and 1.
 */
export function retryDelayMs(
  attempt: number,
  retryAfter: string | null | undefined,
  random: number,
): number {
  if (retryAfter && /^\s*\d{1,6}\s*$/.test(retryAfter))
    return Math.min(LONGEST_ASKED_MS, 1000 * Number(retryAfter));
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  return ceiling / 2 + (ceiling / 2) * random;
}
