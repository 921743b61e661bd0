// The upload link behind the studio page's `#`. Only the edge verifies it. Pure.
import { claimsOf } from "../link.ts";

/** Claims of an upload link that the page looks at, as hints. */
export interface UploadHints {
  /** The last second at which the link writes, in seconds since 1970. */
  exp?: number;
  /** Bytes that the link may write in all. */
  max_bytes?: number;
  /** Kinds of files that the link takes, such as `video` and `audio`. */
  types?: string[];
}

/** An upload link to a folder. */
export interface UploadLink {
  origin: string;
  /** The folder's URL path, percent-encoded, with both slashes. */
  folder: string;
  token: string;
  hints: UploadHints;
  /** The play link that opens the lecture when it is packaged. */
  watch?: URL;
}

/** Reasons why a fragment is no upload link of this edge. */
export type FragmentRefusal = "no_link" | "other_site" | "not_upload" | "not_folder";

/**
 * Reads `#LINK` or `#LINK&watch=PLAY_LINK`. The link is a URL of the edge `edge`, or its path and
 * query. The play link is percent-encoded.
 */
export function parseUploadLink(fragment: string, edge: string): UploadLink | FragmentRefusal {
  const link = parseUrl(fragment.replace(/^#/, ""), edge);
  const token = link?.searchParams.get("token");
  if (!link || !token) return "no_link";
  if (link.origin !== edge) return "other_site";
  const claims: Record<string, unknown> = { ...claimsOf(link) };
  if (claims["use"] !== "upload") return "not_upload";
  const folder = folderOf(link, claims["path"]);
  if (!folder) return "not_folder";
  const watch = parseUrl(link.searchParams.get("watch"), edge);
  return {
    origin: link.origin,
    folder,
    token,
    hints: hintsOf(claims),
    // Another site's link under this site's name would be believed.
    ...(watch?.origin === edge && { watch }),
  };
}

/** The folder that an upload link opens: the URL's own, else that of the claim. */
function folderOf(link: URL, path: unknown): string | undefined {
  if (typeof path !== "string" || !path.startsWith("/") || !path.endsWith("/")) return undefined;
  const claimed = encodePath(path);
  const isBelow = link.pathname.endsWith("/") && link.pathname.startsWith(claimed);
  return isBelow ? link.pathname : claimed;
}

function hintsOf({ exp, max_bytes, types }: Record<string, unknown>): UploadHints {
  const isCount = (value: unknown): value is number =>
    typeof value === "number" && Number.isFinite(value) && value >= 0;
  const isList = Array.isArray(types) && types.every((type) => typeof type === "string");
  return {
    ...(isCount(exp) && { exp }),
    ...(isCount(max_bytes) && { max_bytes }),
    ...(isList && { types }),
  };
}

/** Percent-encodes a decoded path, segment by segment. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** Decodes a URL's path to show it. */
export function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function parseUrl(text: string | null, base: string): URL | undefined {
  try {
    const url = text ? new URL(text, base) : undefined;
    return url?.protocol === "https:" || url?.protocol === "http:" ? url : undefined;
  } catch {
    return undefined;
  }
}
