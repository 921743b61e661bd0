// Lectures that a device keeps: which files, for how long, and which request they answer. Pure.
import { attributesOf } from "./session-data.ts";

/** Copies that a device keeps, or kept. */
export interface Kept {
  /** The path of the Multivariant Playlist. */
  path: string;
  /** The viewer's id, or "". */
  sub: string;
  /** `loading`: not all files are there. `over`: the time has ended, and the files are deleted. */
  state: "loading" | "kept" | "over";
  /** Milliseconds since 1970: when the device began to keep the lecture. */
  at: number;
  /** The seconds for which it may. */
  seconds: number;
  /** The rung, in lines. */
  height: number;
  /** The path of the rung's Media Playlist, which another revision does not have. */
  playlist: string;
  bytes: number;
}

/** Names of caches: of the page, of the list of lectures, and of a lecture's files. */
export const SHELL = "lectern page";
export const LIST = "lectern kept";
const LECTURE = "lectern lecture";

export function cacheOf({ path, sub, playlist }: Pick<Kept, "path" | "sub" | "playlist">): string {
  return JSON.stringify([LECTURE, path, sub, playlist]);
}

/** Returns whether a cache has files of a lecture. */
export function isLectureCache(name: string): boolean {
  return name.startsWith(`["${LECTURE}"`);
}

/** The millisecond at which the device stops to play a lecture. */
export function endOf({ at, seconds }: Pick<Kept, "at" | "seconds">): number {
  return at + seconds * 1000;
}

/** Returns whether the end has come. */
export function isOver(kept: Kept, now: number): boolean {
  return kept.state === "over" || now >= endOf(kept);
}

/** Reads an entry of the list. */
export function parseKept(value: unknown): Kept | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const kept = value as Kept;
  const areTexts = [kept.path, kept.sub, kept.playlist].every((text) => typeof text === "string");
  const areNumbers = [kept.at, kept.seconds, kept.height, kept.bytes].every(Number.isFinite);
  return areTexts && areNumbers && ["loading", "kept", "over"].includes(kept.state)
    ? kept
    : undefined;
}

/** A request of the player page, as the service worker sees it. */
export interface Asked {
  method: string;
  /** The request is for a page. */
  isPage: boolean;
  /** The keeper wants the edge's answer. */
  isReload: boolean;
  path: string;
  /** The request has the link. */
  hasLink: boolean;
  /** The viewer that the link names, or "". */
  sub: string;
  hasPass: boolean;
}

/** The source of an answer. */
export type Answer =
  | { from: "network" }
  /** The page as the edge has it, or without the edge, as the device keeps it. */
  | { from: "page" }
  | { from: "assets" }
  /** The files of a lecture, and the edge for those that are not there. */
  | { from: "lecture"; kept: Kept; isOpening: boolean }
  /** The time has ended: the edge decides, and without it the answer is `copy_ended`. */
  | { from: "edge"; over: Kept }
  | { from: "refusal"; over: Kept };

export const PAGE = "/_lectern/play";
const OWN = "/_lectern/";
const ASSETS = "/_lectern/assets/";
const NETWORK: Answer = { from: "network" };

/** Returns whether a request may have another answer than the network's. */
export function isAnswered({ method, isPage, isReload, path }: Asked): boolean {
  if (method !== "GET" || isReload) return false;
  if (isPage) return path === PAGE;
  return path.startsWith(ASSETS) || !path.startsWith(OWN);
}

/** Decides where the answer to a request comes from. */
export function answerTo(asked: Asked, list: readonly Kept[], now: number): Answer {
  if (!isAnswered(asked)) return NETWORK;
  if (asked.isPage) return { from: "page" };
  if (asked.path.startsWith(ASSETS)) return { from: "assets" };
  const { path, hasLink, sub, hasPass } = asked;
  const found = list
    .filter(({ state }) => state !== "loading")
    .filter((kept) =>
      hasLink ? kept.path === path && kept.sub === sub : path.startsWith(folderOf(kept.path)),
    );
  // A clock before the beginning was set back. It may be put right, so the files stay.
  const playing = found.find((kept) => !isOver(kept, now) && now >= kept.at);
  if (playing) return { from: "lecture", kept: playing, isOpening: hasLink };
  const [over] = found;
  if (!over) return NETWORK;
  // A pass is of a lecture that plays from the edge.
  if (hasPass) return NETWORK;
  // Playlists of the device name files without a pass, so that the edge would not know why.
  return { from: hasLink ? "edge" : "refusal", over };
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

/** The time for which the device knows of a lecture that it had, in milliseconds: 30 days. */
const KNOWN_MS = 30 * 86_400_000;

/** Lectures that the device deletes now: their files, or their entry. */
export function ended(list: readonly Kept[], now: number): Kept[] {
  return list.filter((kept) => {
    return kept.state === "over" ? isForgotten(kept, now) : isOver(kept, now);
  });
}

/** Returns whether nothing stays of a lecture. */
export function isForgotten(kept: Kept, now: number): boolean {
  return kept.state === "loading" || now >= endOf(kept) + KNOWN_MS;
}

/** Bytes of a file, as RFC 9110 §14.1.2 counts them: the first and the last. */
export function rangeOf(header: string | null, size: number): [number, number] | undefined {
  const [, first, last] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (first === undefined) return undefined;
  const range: [number, number] = [
    Number(first),
    last ? Math.min(Number(last), size - 1) : size - 1,
  ];
  return range[0] <= range[1] ? range : undefined;
}

/** A playlist whose URLs have no passes, and the URLs as the edge wrote them. */
export interface Bare {
  text: string;
  urls: string[];
}

/** A Multivariant Playlist of one rung. */
export interface Reduced {
  text: string;
  /** URLs of Media Playlists and of files beside the lecture. */
  playlists: string[];
  files: string[];
  /** The path of the rung's Media Playlist. */
  playlist: string;
}

/** Session data that the device does not keep: a storyboard is as large as the audio. */
const LEFT_OUT = new Set(["lectern.storyboard"]);
const STREAM = "#EXT-X-STREAM-INF:";
/** The tags that name other rungs, or other servers. */
const OTHER_TAGS = /^#EXT-X-(I-FRAME-STREAM-INF|CONTENT-STEERING|SESSION-KEY)\b/;
/** The most files of a lecture. One of a day in segments of two seconds has as many. */
const MAX_FILES = 200_000;

/** The reason why a lecture cannot be kept. */
export type Unkept = "live" | "elsewhere" | "unknown";

/** Reduces a Multivariant Playlist to the rung whose Media Playlist has this path. */
export function reduce(text: string, base: string, playlist: string): Reduced | Unkept {
  const lines = linesOf(text);
  const found = lines.findIndex(
    (line, at) => line.startsWith(STREAM) && pathOf(lines[at + 1], base) === playlist,
  );
  const rung = lines[found];
  if (rung === undefined) return "unknown";
  const main = absolute(lines[found + 1], base);
  if (!main) return "elsewhere";
  const { AUDIO, SUBTITLES } = attributesOf(rung.slice(STREAM.length));
  const groups: Record<string, string | undefined> = { AUDIO, SUBTITLES };
  const playlists = new Set([main.href]);
  const files = new Set<string>();
  const head: string[] = [];
  for (const line of lines) {
    if (!line.startsWith("#") || line.startsWith(STREAM) || OTHER_TAGS.test(line)) continue;
    const [, tag, list] = /^#EXT-X-(MEDIA|SESSION-DATA):(.*)$/.exec(line) ?? [];
    if (!tag) {
      head.push(line);
      continue;
    }
    const { TYPE, "GROUP-ID": group, URI, "DATA-ID": id } = attributesOf(list);
    if (tag === "MEDIA" && (!TYPE || !group || groups[TYPE] !== group)) continue;
    if (tag === "SESSION-DATA" && LEFT_OUT.has(id ?? "")) continue;
    const url = URI === undefined ? undefined : absolute(URI, base);
    if (URI !== undefined && !url) {
      if (tag === "SESSION-DATA") continue;
      return "elsewhere";
    }
    if (url) (tag === "MEDIA" ? playlists : files).add(url.href);
    head.push(url ? withUri(line, url.pathname) : line);
  }
  return {
    text: `${[...head, withoutPathway(rung), main.pathname].join("\n")}\n`,
    playlists: [...playlists],
    files: [...files],
    playlist,
  };
}

/** A rung of a Multivariant Playlist: its lines, and the path of its Media Playlist. */
export interface FoundRung {
  height: number;
  playlist: string;
}

/**
 * Finds the rung of another revision that is most like the kept one: the tallest that is not
 * taller, else the smallest. Of two codecs, it has the one that needs less.
 */
export function rungIn(
  text: string,
  base: string,
  wanted: number,
  isPlayable: (codecs: string) => boolean,
): FoundRung | undefined {
  const lines = linesOf(text);
  const rungs = lines.flatMap((line, at) => {
    if (!line.startsWith(STREAM)) return [];
    const { BANDWIDTH, RESOLUTION, CODECS = "" } = attributesOf(line.slice(STREAM.length));
    const height = Number(/^\d{1,5}x(\d{1,5})$/.exec(RESOLUTION ?? "")?.[1]);
    const playlist = pathOf(lines[at + 1], base);
    return height && playlist && isPlayable(CODECS)
      ? [{ height, playlist, bandwidth: Number(BANDWIDTH) }]
      : [];
  });
  rungs.sort((one, other) => one.height - other.height || other.bandwidth - one.bandwidth);
  const found = rungs.findLast(({ height }) => height <= wanted) ?? rungs[0];
  return found && { height: found.height, playlist: found.playlist };
}

/** Takes the passes out of a Media Playlist, which must be complete. */
export function bare(text: string, base: string): Bare | Unkept {
  const lines = linesOf(text);
  if (!lines.includes("#EXT-X-ENDLIST")) return "live";
  const urls = new Set<string>();
  const out: string[] = [];
  for (const line of lines) {
    const [, uri] = line.startsWith("#") ? (/[:,]URI="([^"]*)"/.exec(line) ?? []) : ["", line];
    if (uri === undefined) {
      out.push(line);
      continue;
    }
    const url = absolute(uri, base);
    if (!url || urls.size >= MAX_FILES) return "elsewhere";
    urls.add(url.href);
    out.push(line.startsWith("#") ? withUri(line, url.pathname) : url.pathname);
  }
  return { text: `${out.join("\n")}\n`, urls: [...urls] };
}

/** The estimated bytes of a lecture. Its rung has one audio track of several. */
export function estimatedBytes(bitsPerSecond: number, seconds: number, tracks: number): number {
  const audio = Math.max(0, tracks - 1) * AUDIO_BITS;
  return Math.round(((bitsPerSecond + audio) * seconds) / 8);
}

/** Bits a second of an audio track. */
const AUDIO_BITS = 128_000;

const UNITS = ["kilobyte", "megabyte", "gigabyte"] as const;

/** A size, such as `95 MB` or `1.2 GB`. */
export function formatBytes(bytes: number, language: string): string {
  const power = Math.min(3, Math.max(1, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** power;
  const maximumFractionDigits = value < 10 ? 1 : 0;
  const unit = UNITS[power - 1];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits }).format(
    value,
  );
}

const SPANS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** A time span in its largest unit that fits twice, such as `3 days` or `36 hours`. */
export function formatSpan(seconds: number, language: string): string {
  const fits = SPANS.find(([, length]) => seconds >= 2 * length || seconds === length);
  const [unit, length] = fits ?? (["second", 1] as const);
  const format = { style: "unit", unit, unitDisplay: "long" } as const;
  return new Intl.NumberFormat(language, format).format(Math.floor(seconds / length));
}

/** The path of a URL, which names the file without its pass. */
export function pathOf(uri: string | undefined, base: string): string | undefined {
  return uri !== undefined && URL.canParse(uri, base) ? new URL(uri, base).pathname : undefined;
}

/** A URL of the same server as its playlist. */
function absolute(uri: string | undefined, base: string): URL | undefined {
  if (uri === undefined || !URL.canParse(uri, base)) return undefined;
  const url = new URL(uri, base);
  return url.origin === new URL(base).origin ? url : undefined;
}

function withUri(line: string, path: string): string {
  return line.replace(/([:,])URI="[^"]*"/, (_whole, before: string) => `${before}URI="${path}"`);
}

function withoutPathway(line: string): string {
  return line.replace(/,PATHWAY-ID="[^"]*"/, "");
}

function linesOf(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
}
