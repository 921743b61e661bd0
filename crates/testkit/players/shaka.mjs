// Shaka Player's own HLS parser, from the sources in its npm package: the compiled file exports no parser of text.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { runInThisContext } from "node:vm";

const manifest = createRequire(import.meta.url).resolve("shaka-player/package.json");
const folder = new URL("./", pathToFileURL(manifest));

/** Loads classes with all that they require, as Closure's loader does. Returns the namespace `shaka`. */
function load(...names) {
  const provided = new Map();
  const required = new Map();
  const loaded = new Set();
  const goog = {
    DEBUG: false,
    define: (_name, value) => value,
    addDependency(path, provides, requires) {
      for (const name of provides) provided.set(name, path);
      required.set(path, requires);
    },
    provide(name) {
      name.split(".").reduce((at, part) => (at[part] ??= {}), globalThis);
    },
    require(name) {
      const path = provided.get(name);
      // Closure's own library is no part of the package.
      if (!path || loaded.has(path) || !/^(\.\.\/)+(lib|third_party\/(?!closure))/.test(path)) return;
      loaded.add(path);
      required.get(path).forEach(goog.require);
      const file = new URL(path.replace(/^(\.\.\/)+/, ""), folder);
      runInThisContext(readFileSync(file, "utf8"), { filename: file.pathname });
    },
    requireType() {},
  };
  globalThis.goog = goog;
  globalThis.window ??= globalThis;
  globalThis.self ??= globalThis;
  globalThis.navigator ??= { userAgent: "" };
  runInThisContext(readFileSync(new URL("dist/deps.js", folder), "utf8"));
  names.forEach(goog.require);
  return globalThis.shaka;
}

const shaka = load(
  "shaka.hls.HlsParser",
  "shaka.hls.ManifestTextParser",
  "shaka.device.DefaultBrowser",
  "shaka.polyfill.Map",
);
shaka.polyfill.Map.install();

/** Attributes that hold URIs, by tag. */
const ATTRIBUTES = {
  "EXT-X-STREAM-INF": ["URI"],
  "EXT-X-MEDIA": ["URI"],
  "EXT-X-I-FRAME-STREAM-INF": ["URI"],
  "EXT-X-IMAGE-STREAM-INF": ["URI"],
  "EXT-X-SESSION-DATA": ["URI"],
  "EXT-X-SESSION-KEY": ["URI"],
  "EXT-X-CONTENT-STEERING": ["SERVER-URI"],
  "EXT-X-KEY": ["URI"],
  "EXT-X-MAP": ["URI"],
  "EXT-X-PART": ["URI"],
  "EXT-X-PRELOAD-HINT": ["URI"],
  "EXT-X-RENDITION-REPORT": ["URI"],
};

/**
 * Lists the URLs of a playlist at `url`. `opened` holds the variables of the Multivariant Playlist. The player stops at
 * the first error; this reads on.
 */
export function urls(bytes, url, opened) {
  const { Utils, ManifestTextParser, PlaylistType, HlsParser } = shaka.hls;
  const parser = new HlsParser();
  parser.masterPlaylistUri_ = url;
  parser.globalVariables_ = opened ?? new Map();
  const found = [];
  let variables = parser.globalVariables_;
  let playlist;
  try {
    playlist = new ManifestTextParser().parsePlaylist(bytes);
  } catch {
    return { found, variables };
  }
  const defines = Utils.filterTagsByName(playlist.tags, "EXT-X-DEFINE");
  if (playlist.type === PlaylistType.MEDIA) variables = parser.parseMediaVariables_(defines, url);
  else parser.parseMasterVariables_(defines);

  const add = (relative, variables) => {
    try {
      found.push(...Utils.constructSegmentUris([url], relative, variables));
    } catch {
      // No URL, or a variable that is not defined.
    }
  };
  const read = (tag) => {
    for (const name of ATTRIBUTES[tag.name] ?? []) {
      // The player resolves the steering server without variables.
      add(tag.getAttributeValue(name), name === "SERVER-URI" ? undefined : variables);
    }
    if (tag.name === "EXT-X-DATERANGE") {
      for (const { name, value } of tag.attributes) {
        if (name.startsWith("X-ASSET-")) add(value, variables);
      }
    }
  };
  playlist.tags.forEach(read);
  for (const segment of playlist.segments ?? []) {
    segment.tags.forEach(read);
    segment.partialSegments.forEach(read);
    add(segment.verbatimSegmentUri, variables);
  }
  return { found, variables };
}
