// Faults of a file that the page reports before the upload. Pure.
import type { UploadHints } from "./fragment.ts";

/** A track of a file, as far as the browser reads it. */
export interface TrackFacts {
  type: "video" | "audio";
  /** The codec's short name, if the browser knows it. */
  codec?: string;
  /** This browser decodes the track. */
  isDecodable: boolean;
  isHdr?: boolean;
  width?: number;
  height?: number;
}

/** Facts that the browser reads from a file. */
export interface MediaFacts {
  /** The container's name, such as `MP4`; without it, the browser does not know the format. */
  format?: string;
  /** Seconds of the longest track. */
  seconds?: number;
  /** Tracks with packets. */
  tracks: TrackFacts[];
  /** The file ends before its contents do. */
  isCut?: boolean;
  /** The index of the file is missing, so nothing can be read. */
  isWithoutIndex?: boolean;
  /** Seconds that can be read of a file that is cut short. */
  readableSeconds?: number;
  /** Reading failed before the end: the file is damaged or encrypted. */
  isUnreadable?: boolean;
}

export interface FileWarning {
  code:
    | "empty"
    | "too_large"
    | "wrong_type"
    | "expired"
    | "expires_soon"
    | "no_index"
    | "cut"
    | "unreadable"
    | "unknown_format"
    | "no_video"
    | "no_audio"
    | "codec"
    | "hdr";
  /** The upload is sure to fail, so it does not begin. */
  isBlocking: boolean;
  values: {
    bytes?: number;
    seconds?: number;
    readable?: number;
    codec?: string;
    type?: string;
  };
}

/** The slowest upload that is expected, in bytes per second: 1 Mbit/s. */
const SLOW_BYTES_PER_SECOND = 125_000;

/** Warnings that need no look into the file. */
export function sizeWarnings(
  file: { name: string; size: number; type: string },
  hints: UploadHints,
  nowSeconds: number,
): FileWarning[] {
  const { exp, max_bytes: limit, types } = hints;
  const found: FileWarning[] = [];
  const left = exp === undefined ? Infinity : exp - nowSeconds;
  if (file.size === 0) found.push({ code: "empty", isBlocking: true, values: {} });
  if (limit !== undefined && file.size > limit)
    found.push({ code: "too_large", isBlocking: true, values: { bytes: limit } });
  if (types && !isAllowedType(file, types))
    found.push({ code: "wrong_type", isBlocking: true, values: { type: types.join(", ") } });
  if (left < 0) found.push({ code: "expired", isBlocking: true, values: {} });
  else if (left < Math.min(3600, file.size / SLOW_BYTES_PER_SECOND))
    found.push({ code: "expires_soon", isBlocking: false, values: { seconds: left } });
  return found;
}

/** Warnings about the contents of a file, the gravest first. */
export function mediaWarnings(facts: MediaFacts): FileWarning[] {
  const warn = (
    code: FileWarning["code"],
    values: FileWarning["values"] = {},
    isBlocking = false,
  ): FileWarning => ({ code, isBlocking, values });
  if (facts.isWithoutIndex) return [warn("no_index", {}, true)];
  if (!facts.format) return [warn("unknown_format")];
  const found: FileWarning[] = [];
  const { seconds, readableSeconds: readable } = facts;
  if (facts.isCut) {
    const values = seconds !== undefined && readable !== undefined ? { seconds, readable } : {};
    found.push(warn("cut", values));
  } else if (facts.isUnreadable) found.push(warn("unreadable"));
  const [video, audio] = (["video", "audio"] as const).map((type) =>
    facts.tracks.filter((track) => track.type === type),
  );
  if (video?.length === 0) found.push(warn("no_video"));
  if (audio?.length === 0) found.push(warn("no_audio"));
  const unknown = facts.tracks.find((track) => !track.isDecodable);
  if (unknown) found.push(warn("codec", { codec: unknown.codec ?? unknown.type }));
  if (facts.tracks.some((track) => track.isHdr)) found.push(warn("hdr"));
  return found;
}

/** Extensions of recordings whose type browsers do not tell. */
const KINDS: Record<string, string> = {
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  mkv: "video/matroska",
  webm: "video/webm",
  ts: "video/mp2t",
  mts: "video/mp2t",
  m2ts: "video/mp2t",
  avi: "video/x-msvideo",
  flv: "video/x-flv",
  mpg: "video/mpeg",
  mpeg: "video/mpeg",
  mxf: "video/mxf",
  mp3: "audio/mpeg",
  m4a: "audio/mp4",
  aac: "audio/aac",
  wav: "audio/wav",
  flac: "audio/flac",
  ogg: "audio/ogg",
  opus: "audio/ogg",
};

/**
 * Returns whether a list of kinds (`video`, `captions`) allows a file, as far as the page knows its
 * type. The edge decides: it knows more names, and reads the first bytes.
 */
export function isAllowedType(file: { name: string; type: string }, types: string[]): boolean {
  const extension = /\.([^.]+)$/.exec(file.name)?.[1]?.toLowerCase() ?? "";
  const type = (KINDS[extension] ?? file.type).toLowerCase();
  const isKnown = types.every((kind) => ["video", "audio", "image", "captions"].includes(kind));
  if (types.length === 0 || !isKnown || type === "") return true;
  return types.some((kind) => type.startsWith(kind === "captions" ? "text/" : `${kind}/`));
}
