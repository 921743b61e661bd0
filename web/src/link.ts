// Links as the player page reads them. Only the edge verifies them.

/** Claims of a link that the page looks at. */
export interface LinkClaims {
  sub?: string;
  /** The last second at which the link opens anything. */
  exp?: number;
  /** Origins of pages that may open the link. */
  origin?: string[];
  /** The object or folder that the link opens. */
  path?: string;
  use?: string;
  max_height?: number;
  langs?: string[];
  /** Players of the viewer that may play at once. */
  sessions?: number;
  /** The viewer's name, to show over the picture. */
  watermark?: string;
  /** Seconds from which and to which the link opens the lecture. */
  preview?: [number, number];
  /** Seconds for which a device may keep the lecture. */
  offline?: number;
}

/**
 * Returns whether a link lists an origin: itself, or all below a domain
 * (`https://*.school.example`).
 */
export function listsOrigin(patterns: readonly string[], origin: string): boolean {
  return patterns.some((pattern) => {
    const [before, after] = pattern.toLowerCase().split("://*.");
    if (after === undefined) return before === origin;
    return origin.startsWith(`${before}://`) && origin.endsWith(`.${after}`);
  });
}

/** The claims of a link's token, or none if it has no readable token. */
export function claimsOf(link: URL): LinkClaims {
  const payload = link.searchParams.get("token")?.split(".")[1] ?? "";
  try {
    const text = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? claims : {};
  } catch {
    return {};
  }
}

/** A lecture's name in the browser's storage: its URL without the link, and the viewer. */
export function lectureOf(link: URL): string {
  return `${link.origin}${link.pathname} ${claimsOf(link).sub ?? ""}`;
}
