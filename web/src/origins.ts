// The origins that lectures come from.

/**
 * The origins of web/origins.txt. web/build.mjs writes them here and into the Content-Security-
 * Policy.
 */
declare const ORIGINS: readonly string[];

/** The edge that serves this script. */
export const EDGE = new URL(import.meta.url).origin;
/** Origins that every file of a lecture must have. */
const allowed: ReadonlySet<string> = new Set([EDGE, ...ORIGINS]);

export function isAllowed(url: URL): boolean {
  // A `blob:` URL has the origin of its page, but no server.
  return (url.protocol === "https:" || url.protocol === "http:") && allowed.has(url.origin);
}

/** Parses a link, which may be a path of the edge. */
export function parseLink(text: string | null | undefined): URL | undefined {
  try {
    return text ? new URL(text, EDGE) : undefined;
  } catch {
    return undefined;
  }
}
