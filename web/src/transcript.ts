// The transcript of a lecture: its captions file as lines, and a search in them. Pure.
import { parseTextStream, tokenizeVTTCue, type VTTNode } from "media-captions";

/** A line of the transcript. */
export interface Line {
  start: number;
  text: string;
}

/** A part of a line that a search found, or one between. */
export interface LinePart {
  text: string;
  isMatch: boolean;
}

/** The largest file of captions to load, in bytes: ten hours of speech have one. */
export const MAX_CAPTION_BYTES = 4 << 20;
const MAX_LINES = 20_000;
const MAX_LINE_LENGTH = 1_000;
/** The longest line of a file, and the longest cue, with markup. */
const MAX_MARKUP_LENGTH = 4_000;
const MAX_TEXT_LINES = 5 * MAX_LINES;
const MAX_MATCHES = 100;

/** Reads a WebVTT file. A cue is a line, without its markup. */
export async function parseTranscript(file: string): Promise<Line[]> {
  const { cues } = await parseTextStream(textLines(file), { type: "vtt" });
  return cues
    .slice(0, MAX_LINES)
    .map((cue) => {
      // Markup may nest as deep as it is long.
      cue.text = cue.text.slice(0, MAX_MARKUP_LENGTH);
      return { start: cue.startTime, text: shortened(wordsOf(tokenizeVTTCue(cue))) };
    })
    .filter(({ start, text }) => Number.isFinite(start) && text)
    .sort((one, other) => one.start - other.start);
}

/** A file's lines, one at a time: a stream that holds them all takes minutes for many. */
function textLines(file: string): ReadableStream<string> {
  const lines = file.split(/\r\n|\n|\r/, MAX_TEXT_LINES).values();
  const pull = (controller: ReadableStreamDefaultController<string>): void => {
    const { done, value = "" } = lines.next();
    if (done) controller.close();
    else controller.enqueue(value.slice(0, MAX_MARKUP_LENGTH));
  };
  return new ReadableStream({ pull }, { highWaterMark: 0 });
}

/** Lines of the cues that the browser has loaded. */
export function linesOf(cues: Iterable<{ start: number; text: string }>): Line[] {
  return [...cues].slice(0, MAX_LINES).map(({ start, text }) => ({ start, text: shortened(text) }));
}

/** Lines that contain a text, in any case. */
export function search(lines: readonly Line[], text: string): Line[] {
  const wanted = pattern(text);
  return wanted ? lines.filter((line) => line.text.search(wanted) >= 0) : [...lines];
}

/** A line in parts, so that what a search found can stand out. */
export function matchParts(line: string, text: string): LinePart[] {
  const wanted = pattern(text);
  const parts: LinePart[] = [];
  let end = 0;
  for (const match of wanted ? [...line.matchAll(wanted)].slice(0, MAX_MATCHES) : []) {
    if (match.index > end) parts.push({ text: line.slice(end, match.index), isMatch: false });
    parts.push({ text: match[0], isMatch: true });
    end = match.index + match[0].length;
  }
  if (end < line.length) parts.push({ text: line.slice(end), isMatch: false });
  return parts;
}

/** Matches a text in any case, with any white space between its words. */
function pattern(text: string): RegExp | undefined {
  const words = text.trim().slice(0, MAX_LINE_LENGTH).split(/\s+/u).filter(Boolean);
  if (words.length === 0) return undefined;
  const escaped = words.map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return new RegExp(escaped.join("\\s+"), "giu");
}

function wordsOf(nodes: readonly VTTNode[]): string {
  return nodes
    .map((node) => (node.type === "text" ? node.data : wordsOf(node.children)))
    .join("");
}

function shortened(text: string): string {
  return text.replaceAll(/\s+/gu, " ").trim().slice(0, MAX_LINE_LENGTH);
}
