// Names that a viewer sees: of the lecture, of the viewer, of the download. Pure.
import { claimsOf } from "./link.ts";

const MAX_LECTURE_LENGTH = 80;
const MAX_WATERMARK_LENGTH = 100;

/** The name of a lecture's folder: `Linear algebra` for `/courses/linear-algebra/master.m3u8`. */
export function lectureName(link: URL): string | undefined {
  const name = lectureFolder(link).replaceAll(/[-_\s]+/gu, " ").trim();
  const isId = /^[0-9a-f ]{6,}$/i.test(name) || !/\p{L}/u.test(name);
  if (isId) return undefined;
  const [first = "", ...others] = printable(name);
  return (first.toLocaleUpperCase() + others.join("")).slice(0, MAX_LECTURE_LENGTH);
}

/** The name that a watermark shows: the element's, else that of the link's claim `watermark`. */
export function watermarkOf(attribute: string | null, link: URL | undefined): string {
  const claimed: unknown = link && claimsOf(link).watermark;
  const name = attribute ?? (typeof claimed === "string" ? claimed : "");
  return [...printable(name).trim()].slice(0, MAX_WATERMARK_LENGTH).join("");
}

/** The lecture's download, if the link says `"use": "download"` and opens it without a header. */
export function downloadOf(link: URL): URL | undefined {
  const { use, path, origin, preview, langs, max_height, sessions } = claimsOf(link);
  if (use !== "download" || typeof path !== "string" || origin?.length) return undefined;
  if (preview || langs || max_height !== undefined || sessions !== undefined) return undefined;
  const file = new URL(link);
  if (!/\.mp4$/i.test(file.pathname))
    file.pathname = link.pathname.replace(/[^/]*$/, "lecture.mp4");
  const opened = decoded(file.pathname);
  return path === opened || (path.endsWith("/") && opened.startsWith(path)) ? file : undefined;
}

/** The name that a download is saved under, which is the edge's as well. */
export function downloadName(file: URL): string {
  return `${lectureFolder(file) || "lecture"}.mp4`;
}

/** The last folder of a lecture. A download may lie in the folder of its revision. */
function lectureFolder(link: URL): string {
  const folders = link.pathname.split("/").slice(1, -1);
  if (folders.at(-2) === "v") folders.splice(-2);
  return decoded(folders.at(-1) ?? "");
}

/** The text without control characters and marks that turn the direction of what follows. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
