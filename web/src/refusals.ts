// The sentences of the card that covers the video when nothing plays. Pure.
import { claimsOf } from "./link.ts";
import type { Problem } from "./renewal.ts";
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

/**
 * A problem of the edge as the viewer should read it. A link that counts pages names the page as
 * the reason.
 */
export function refusalOf(problem: Problem, link: URL): Refusal {
  if (problem.code === "forbidden" && claimsOf(link).origin) return { code: "other_page" };
  return problem.code === undefined && problem.title === undefined
    ? { code: "cannot_open" }
    : problem;
}

/** The sentence about what happened. A code without a text has the edge's English title. */
export function sentence({ code, title }: Problem, texts: Texts): string {
  return (
    (code && Object.hasOwn(texts, code) && texts[code as TextKey]) || title || texts.cannot_open
  );
}

/** The advice to the viewer. */
export function advice({ code }: Problem, texts: Texts): string {
  return texts[(code && Object.hasOwn(ADVICE, code) && ADVICE[code]) || "advice"];
}

export function isRetryable({ code }: Problem): boolean {
  return !code || !FINAL.has(code);
}
