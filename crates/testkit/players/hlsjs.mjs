// hls.js's own HLS parser.

// hls.js is written for browsers; its parser needs this name alone.
globalThis.self = globalThis;
const { M3U8Parser } = await import("hls.js");

/** Decodes as XMLHttpRequest does (Encoding Standard, "decode"): a byte-order mark overrides UTF-8. */
function decode(bytes) {
  const marks = { fffe: "utf-16le", feff: "utf-16be" };
  const encoding = marks[bytes.subarray(0, 2).toString("hex")] ?? "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

function attempt(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Lists the URLs of a playlist at `url`. `opened` holds the variables of the Multivariant Playlist. */
export function urls(bytes, url, opened) {
  const text = decode(bytes);
  const found = [];
  const add = (relative) => {
    const resolved = relative && attempt(() => M3U8Parser.resolve(relative, url));
    if (resolved) found.push(resolved);
  };
  const multivariant = attempt(() => M3U8Parser.parseMasterPlaylist(text, url));
  if (multivariant) {
    const { contentSteering, levels, iframeVariants, sessionKeys, sessionData } = multivariant;
    const renditions = attempt(() => M3U8Parser.parseMasterPlaylistMedia(text, url, multivariant));
    add(contentSteering?.uri);
    for (const level of [...levels, ...iframeVariants]) add(level.url);
    for (const rendition of Object.values(renditions ?? {}).flat()) add(rendition?.url);
    for (const key of sessionKeys ?? []) add(key.uri);
    for (const data of Object.values(sessionData ?? {})) add(data.URI);
  }
  const media = attempt(() => M3U8Parser.parseLevelPlaylist(text, url, 0, "main", 0, opened ?? null));
  if (media) {
    // A delta update has holes for what it skips.
    for (const fragment of media.fragments.filter(Boolean)) {
      if (fragment.relurl) add(attempt(() => fragment.url));
      add(attempt(() => fragment.initSegment?.url));
      for (const key of Object.values(fragment.levelkeys ?? {})) add(key.uri);
    }
    for (const part of media.partList ?? []) add(attempt(() => part.url));
    add(media.preloadHint?.URI);
    for (const report of media.renditionReports ?? []) add(report.URI);
    for (const range of Object.values(media.dateRanges)) {
      add(range.attr["X-ASSET-URI"]);
      add(range.attr["X-ASSET-LIST"]);
    }
  }
  return { found, variables: multivariant?.variableList };
}
