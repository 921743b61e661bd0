// Bundles the pages into web/dist, which the Worker serves as static assets. All pages are below
// `_lectern/`, so that no page shadows an object. `--origins FILE` replaces web/origins.txt,
// `--outdir DIR` replaces web/dist.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build, transform } from "esbuild";
import { parseOrigins } from "./origins.mjs";

const here = import.meta.dirname;
const { values: options } = parseArgs({
  options: {
    origins: { type: "string", default: `${here}/origins.txt` },
    outdir: { type: "string", default: `${here}/dist` },
  },
});
let origins;
try {
  origins = parseOrigins(await readFile(options.origins, "utf8"));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
await rm(options.outdir, { recursive: true, force: true });
await mkdir(options.outdir, { recursive: true });
await cp(`${here}/public`, options.outdir, { recursive: true });
await checkTexts();

/** Style sheets of the element are texts, which it puts into its shadow tree. */
const styleTexts = {
  name: "style texts",
  setup({ onLoad }) {
    onLoad({ filter: /\/element\/[\w-]+\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), { loader: "css", minify: true, target: settings.target });
      return { contents: code, loader: "text" };
    });
  },
};
/** Formats of captions that no package has, in the library that reads WebVTT. */
const noOtherCaptions = {
  name: "no other captions",
  setup({ onLoad }) {
    onLoad({ filter: /media-captions\/dist\/prod\/(errors|srt-parser|ssa-parser)\.js$/ }, () => ({ contents: "export default undefined;" }));
  },
};
/** Messages of hls.js, which no viewer sees. esbuild drops statements with this label. */
const MESSAGE = /^(\s*)(?=(this|((this\.)?(hls\??\.)?logger))\??\.(log|warn|info|debug)\()/gm;
const noMessages = {
  name: "no messages of hls.js",
  setup({ onLoad }) {
    onLoad({ filter: /hls\.js\/src\/.*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      return { contents: source.replace(MESSAGE, "$1MESSAGE: "), loader: "ts" };
    });
  },
};
/** Parts of hls.js that no lecture of an edge needs. The edge writes variables out and removes steering. */
const UNUSED = ["EME_DRM", "INTERSTITIALS", "IFRAMES", "M2TS_ADVANCED_CODECS", "CMCD", "CONTENT_STEERING", "VARIABLE_SUBSTITUTION"];
const USED = ["ALT_AUDIO", "SUBTITLES", "MEDIA_CAPABILITIES"];
const { version } = JSON.parse(await readFile(`${here}/../node_modules/hls.js/package.json`, "utf8"));
const settings = {
  bundle: true,
  alias: { "hls.js": `${here}/../node_modules/hls.js/src/hls.ts` },
  define: {
    ORIGINS: JSON.stringify(origins),
    __VERSION__: JSON.stringify(version),
    ...Object.fromEntries(UNUSED.map((part) => [`__USE_${part}__`, "false"])),
    ...Object.fromEntries(USED.map((part) => [`__USE_${part}__`, "true"])),
  },
  target: ["es2022", "safari16"],
  minify: true,
  // Advice of libraries to developers. Errors stay.
  pure: ["console.debug", "console.info", "console.log", "console.warn"],
  legalComments: "linked",
  logLevel: "warning",
};
// A file's name has its hash, so that browsers may keep the file for ever.
const { metafile, outputs } = await buildAssets(["play.ts", "play.css", "element/lectern-video.ts"]);
await writePage("play", outputs);
// Pages of creators share no file with the player, which a viewer may keep on the device.
await writePage("studio", (await buildAssets(["studio/studio.ts", "studio/studio.css"])).outputs);
const ticker = { TICKER: JSON.stringify(`./${await buildTicker()}`) };
await writePage("record", (await buildAssets(["record/record.ts", "record.css"], ticker)).outputs);
// Other pages load these scripts by their names.
const element = madeOf(outputs, "lectern-video.ts").name;
await writeFile(`${options.outdir}/_lectern/element.js`, `export * from "./assets/${element}";\n`);
// A module has no `document.currentScript`.
await build({ ...settings, entryPoints: [`${here}/src/embed.ts`], outdir: `${options.outdir}/_lectern`, format: "iife" });
// A service worker has one name for ever. It names what the page is made of.
const pageFiles = outputs.map(({ name }) => name).filter((name) => /\.(js|css)$/.test(name)).sort();
await build({
  ...settings,
  entryPoints: [`${here}/src/sw.ts`],
  outdir: `${options.outdir}/_lectern`,
  format: "iife",
  define: {
    ...settings.define,
    PAGE_FILES: JSON.stringify(["/_lectern/play", ...pageFiles.map((name) => `/_lectern/assets/${name}`)]),
  },
});

const headers = await readFile(`${here}/public/_headers`, "utf8");
const styles = await styleHashes(Object.keys(metafile.inputs));
await writeFile(
  `${options.outdir}/_headers`,
  headers.replaceAll("ORIGINS", ["'self'", ...origins].join(" ")).replaceAll("STYLES", ["'self'", ...styles].join(" ")),
);

/** Bundles sources, and the scripts that they share or load later. */
async function buildAssets(sources, names = {}) {
  const { metafile } = await build({
    ...settings,
    define: { ...settings.define, ...names },
    entryPoints: sources.map((source) => `${here}/src/${source}`),
    outdir: `${options.outdir}/_lectern/assets`,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    format: "esm",
    splitting: true,
    metafile: true,
    dropLabels: ["MESSAGE"],
    plugins: [styleTexts, noOtherCaptions, noMessages],
  });
  const outputs = Object.entries(metafile.outputs).map(([file, output]) => ({ ...output, name: basename(file) }));
  return { metafile, outputs };
}

/** The file that was made of a source. */
function madeOf(outputs, source) {
  return outputs.find(({ entryPoint }) => entryPoint?.endsWith(`/${source}`));
}

/** Writes a page that loads its script, the scripts which that imports, and its style sheet. */
async function writePage(name, outputs) {
  const script = madeOf(outputs, `${name}.ts`);
  const preloads = script.imports.filter(({ kind }) => kind === "import-statement").map(({ path }) => basename(path));
  const page = await readFile(`${here}/public/_lectern/${name}.html`, "utf8");
  const written = page
    .replace(`${name}.css`, `assets/${madeOf(outputs, `${name}.css`).name}`)
    .replace(`${name}.js`, `assets/${script.name}`)
    .replace("<!-- preload -->", preloads.map((file) => `<link rel="modulepreload" href="assets/${file}">`).join("\n    "));
  await writeFile(`${options.outdir}/_lectern/${name}.html`, written);
}

/** Builds the worker that keeps the time of the recorder. Returns the name of its file. */
async function buildTicker() {
  const { metafile } = await build({
    ...settings,
    entryPoints: [`${here}/src/record/ticker-worker.ts`],
    outdir: `${options.outdir}/_lectern/assets`,
    entryNames: "[name]-[hash]",
    format: "iife",
    metafile: true,
  });
  return basename(Object.keys(metafile.outputs).find((name) => name.endsWith(".js")));
}

/** Refuses a language that lacks a text, or has one too many. */
async function checkTexts() {
  for (const english of ["texts/en.json", "texts/keep/keep-en.json", "texts/studio/upload-en.json", "texts/record/record-en.json"]) {
    const folder = dirname(`${here}/src/${english}`);
    const read = async (file) => Object.keys(JSON.parse(await readFile(`${folder}/${file}`, "utf8")));
    const expected = new Set(await read(basename(english)));
    for (const file of (await readdir(folder)).filter((name) => name.endsWith(".json"))) {
      const keys = new Set(await read(file));
      const wrong = [...expected.symmetricDifference(keys)];
      if (wrong.length > 0) {
        console.error(`web/src/${dirname(english)}/${file}: these keys differ from ${basename(english)}: ${wrong.join(", ")}`);
        process.exit(1);
      }
    }
  }
}

/** Hashes of media-chrome's `<style>` elements, so that the policy allows these and no others. */
async function styleHashes(inputs) {
  const styles = new Set();
  for (const input of inputs.filter((path) => /media-chrome\/dist\/media-[\w-]+\.js$/.test(path))) {
    for (const element of Object.values(await import(resolve(input)))) {
      const html = typeof element === "function" ? (element.getTemplateHTML?.({}, {}) ?? "") : "";
      for (const [, style] of html.matchAll(/<style[^>]*>([\s\S]*?)<\/style>/g)) styles.add(style);
    }
  }
  return [...styles].map((style) => `'sha256-${createHash("sha256").update(style).digest("base64")}'`).sort();
}
