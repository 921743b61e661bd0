// Links of the recorder page: the upload link in the fragment, and the play link beside it. Pure.
import { claimsOf } from "../link.ts";

export type UploadLinkProblem = "no_link" | "other_site" | "no_folder" | "no_upload";

export interface UploadLink {
  /** The folder's URL, which ends with a slash and has no query. */
  folder: string;
  /** The path of the folder, as people read it. */
  path: string;
  token: string;
  /** The link that is copied. */
  watch: string | undefined;
  isExpired: boolean;
}

/**
 * Reads `/courses/live/7/?token=…&watch=…`. Only the edge verifies the link: the problems found
 * here are hints.
 */
export function readUploadLink(
  fragment: string,
  origin: string,
  isAllowed: (url: URL) => boolean,
  nowSeconds: number,
): UploadLink | UploadLinkProblem {
  let url: URL;
  try {
    url = new URL(fragment, origin);
  } catch {
    return "no_link";
  }
  const token = url.searchParams.get("token");
  if (!fragment || !token) return "no_link";
  if (!isAllowed(url)) return "other_site";
  if (!url.pathname.endsWith("/")) return "no_folder";
  const { use, exp } = claimsOf(url);
  if (use !== "upload" && use !== "admin" && use !== undefined) return "no_upload";
  const isExpired = exp !== undefined && exp < nowSeconds;
  const watch = watchPage(url.searchParams.get("watch"), origin);
  const folder = url.origin + url.pathname;
  return { folder, path: pathOf(folder), token, watch, isExpired };
}

/** The page that plays a link: the player page for a playlist of the edge, else the link itself. */
export function watchPage(link: string | null, origin: string): string | undefined {
  if (!link) return undefined;
  let url: URL;
  try {
    url = new URL(link, origin);
  } catch {
    return undefined;
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") return undefined;
  const isPlaylist = url.origin === origin && /\.m3u8$/i.test(url.pathname);
  return isPlaylist ? `${origin}/_lectern/play#${url.pathname}${url.search}` : url.href;
}

/** The path of a URL, as people read it. */
export function pathOf(url: string): string {
  const path = new URL(url).pathname;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
