// The texts of the card that covers the video when nothing plays. Pure.
import type { Problem } from "./answer.ts";
import { claimsOf, listsOrigin } from "./link.ts";
import type { Refusal } from "./state.ts";
import type { TextKey, Texts } from "./texts/index.ts";

const ADVICE: Record<string, TextKey> = {
  expired: "advice_expired",
  too_many_sessions: "advice_too_many_sessions",
  rate_limited: "advice_wait",
  storage_unavailable: "advice_wait",
  busy: "advice_wait",
  no_preview: "advice_school",
  no_variant: "advice_school",
  unsafe_playlist: "advice_school",
  misconfigured: "advice_school",
  other_file: "advice_school",
  unsupported: "advice_browser",
  unplayable: "advice_browser",
};

/** Refusals that another attempt cannot change. */
const FINAL = new Set(["no_link", "other_site", "unsupported"]);

/** A problem of the edge as the viewer should read it. A link for other pages names these. */
export function refusalOf(problem: Problem, link: URL, pages: readonly string[]): Refusal {
  const { origin } = claimsOf(link);
  const isElsewhere = origin?.length && !pages.every((page) => listsOrigin(origin, page));
  if (problem.code === "forbidden" && isElsewhere) return { code: "other_page" };
  const isKnown = problem.code !== undefined || problem.title !== undefined;
  return isKnown ? problem : { code: "cannot_open" };
}

/** The text about what happened. A code without a text has the edge's English title. */
export function reasonText({ code, title }: Problem, texts: Texts): string {
  return (
    (code && Object.hasOwn(texts, code) && texts[code as TextKey]) || title || texts.cannot_open
  );
}

/** The advice to the viewer at this second. At the beginning, there is no position to keep. */
export function adviceText({ code }: Problem, texts: Texts, second: number): string {
  if (code === "expired" && second < 1) return texts.advice;
  return texts[(code && Object.hasOwn(ADVICE, code) && ADVICE[code]) || "advice"];
}

export function isRetryable({ code }: Problem): boolean {
  return !code || !FINAL.has(code);
}
