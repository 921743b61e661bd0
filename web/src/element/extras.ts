// The files beside a lecture: chapters in Apple's format, and a storyboard. Pure.

export interface Chapter {
  start: number;
  title: string;
}

export interface Thumbnail {
  start: number;
  end: number;
  /** An absolute URL with the rectangle as its fragment: `…#xywh=0,0,160,90`. */
  url: string;
}

/** The most chapters and thumbnails of a lecture. */
const MAX_ENTRIES = 10_000;
/** The longest line of a storyboard that is read, in characters. */
const MAX_LINE = 4_096;
const TIMES = /^(\S+)[ \t]+-->[ \t]+(\S+)/;
const IMAGE = /^[^\s#]+#xywh=\d+,\d+,\d+,\d+$/;

/**
 * Reads `chapters.json`, with titles in the viewer's language if there are any. Leaves out what
 * is no chapter.
 */
export function parseChapters(text: string, language: string): Chapter[] {
  const listed: unknown = JSON.parse(text);
  if (!Array.isArray(listed)) return [];
  const chapters = listed
    .slice(0, MAX_ENTRIES)
    .flatMap((entry: Record<string, unknown> | null): Chapter[] => {
      const start = entry?.["start-time"];
      const titles = Array.isArray(entry?.titles) ? entry.titles : [];
      const inLanguage = titles.find(
        (title) => title?.language && language.startsWith(title.language),
      );
      const title: unknown = (inLanguage ?? titles[0])?.title;
      return typeof start === "number" && start >= 0 && typeof title === "string"
        ? [{ start, title }]
        : [];
    });
  return chapters.sort((one, other) => one.start - other.start);
}

/** The chapter that plays at a second. */
export function chapterAt(chapters: Chapter[], seconds: number): Chapter | undefined {
  return chapters.findLast(({ start }) => start <= seconds + 0.05);
}

/**
 * Reads `storyboard.vtt`, whose images are relative to `base`. Leaves out images of origins that
 * are not allowed.
 */
export function parseStoryboard(
  text: string,
  base: string,
  isAllowed: (url: URL) => boolean,
): Thumbnail[] {
  const thumbnails: Thumbnail[] = [];
  let above = "";
  for (const line of text.replaceAll("\r", "").split("\n")) {
    // A pattern over several lines would take quadratic time for a hostile file.
    const [, from, to] = (above.length <= MAX_LINE && TIMES.exec(above)) || [];
    above = line;
    const [start, end] = [seconds(from), seconds(to)];
    if (start === undefined || end === undefined) continue;
    if (line.length > MAX_LINE || !IMAGE.test(line) || !URL.canParse(line, base)) continue;
    const url = new URL(line, base);
    if (isAllowed(url)) thumbnails.push({ start, end, url: url.href });
    if (thumbnails.length >= MAX_ENTRIES) break;
  }
  return thumbnails;
}

/** A WebVTT timestamp, `00:01:02.500` or `01:02.500`, as seconds. */
function seconds(timestamp: string | undefined): number | undefined {
  const [, hours, minutes, rest] =
    /^(?:(\d{2,6}):)?(\d{2}):(\d{2}\.\d{3})$/.exec(timestamp ?? "") ?? [];
  return rest === undefined
    ? undefined
    : Number(hours ?? 0) * 3600 + Number(minutes) * 60 + Number(rest);
}
