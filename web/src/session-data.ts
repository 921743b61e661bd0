// Files beside a lecture that its Multivariant Playlist names in EXT-X-SESSION-DATA. hls.js keeps
// one entry for each DATA-ID, so captions in several languages are read from the text. Pure.

/** A whole captions file. */
export interface CaptionsFile {
  language: string;
  name: string;
  /** An absolute URL. */
  url: string;
}

/** Files beside the lecture, as absolute URLs. */
export interface Extras {
  chapters?: string;
  storyboard?: string;
  poster?: string;
  silences?: string;
  captions?: CaptionsFile[];
}

/** The names of files that a lecture has once. */
const FILES: Record<string, Exclude<keyof Extras, "captions">> = {
  "com.apple.hls.chapters": "chapters",
  "lectern.storyboard": "storyboard",
  "lectern.poster": "poster",
  "lectern.silences": "silences",
};
const CAPTIONS = "lectern.captions";
const MAX_CAPTIONS = 50;
const TAG = /^#EXT-X-(SESSION-DATA|MEDIA):(.*)$/gm;
// Sticky, because a search from each character would take quadratic time for a hostile tag.
const ATTRIBUTE = /\s*([A-Z0-9-]+)=(?:"([^"\r\n]*)"|([^",\s]*))(?:,|$)/gy;

/** Reads the files that a playlist names, and that `isAllowed` allows. */
export function extrasIn(
  playlist: string,
  base: string,
  isAllowed: (url: URL) => boolean,
): Extras {
  const tagsOf = (wanted: string): Record<string, string | undefined>[] =>
    [...playlist.matchAll(TAG)]
      .filter(([, tag]) => tag === wanted)
      .map(([, , list]) => attributesOf(list));
  const names = new Map<string, string>();
  for (const { TYPE, LANGUAGE, NAME } of tagsOf("MEDIA"))
    if (TYPE === "SUBTITLES" && LANGUAGE && NAME && !names.has(LANGUAGE)) names.set(LANGUAGE, NAME);
  const extras: Extras = {};
  const captions = new Map<string, CaptionsFile>();
  for (const { "DATA-ID": id, URI, LANGUAGE: language } of tagsOf("SESSION-DATA")) {
    if (!id || !URI || !URL.canParse(URI, base)) continue;
    const url = new URL(URI, base);
    if (!isAllowed(url)) continue;
    if (id === CAPTIONS && language && captions.size < MAX_CAPTIONS)
      captions.set(language, { language, name: names.get(language) ?? language, url: url.href });
    const name = Object.hasOwn(FILES, id) && FILES[id];
    if (name) extras[name] = url.href;
  }
  if (captions.size > 0) extras.captions = [...captions.values()];
  return extras;
}

/** The attributes of a tag (RFC 8216bis §4.2), the first of each name. */
function attributesOf(list: string | undefined): Record<string, string | undefined> {
  const attributes: Record<string, string> = Object.create(null);
  for (const [, name, quoted, plain] of (list?.trim() ?? "").matchAll(ATTRIBUTE))
    if (name !== undefined) attributes[name] ??= quoted ?? plain ?? "";
  return attributes;
}
