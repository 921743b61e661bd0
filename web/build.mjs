// Bundles the pages into web/dist, which the Worker serves as static assets. All pages are below
// `_lectern/`, so that no page shadows an object. `--origins FILE` replaces web/origins.txt,
// `--outdir DIR` replaces web/dist.
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
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
const headers = await readFile(`${here}/public/_headers`, "utf8");
await writeFile(`${options.outdir}/_headers`, headers.replaceAll("ORIGINS", ["'self'", ...origins].join(" ")));

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
  legalComments: "linked",
  logLevel: "warning",
};
// A file's name has its hash, so that browsers may keep the file for ever.
const { metafile } = await build({
  ...settings,
  entryPoints: [`${here}/src/play.ts`, `${here}/src/play.css`],
  outdir: `${options.outdir}/_lectern/assets`,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  format: "esm",
  splitting: true,
  metafile: true,
});
let page = await readFile(`${here}/public/_lectern/play.html`, "utf8");
for (const [file, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (entryPoint) page = page.replace(basename(entryPoint).replace(".ts", ".js"), `assets/${basename(file)}`);
}
await writeFile(`${options.outdir}/_lectern/play.html`, page);
// Other pages load this script by its name, and a module has no `document.currentScript`.
await build({ ...settings, entryPoints: [`${here}/src/embed.ts`], outdir: `${options.outdir}/_lectern`, format: "iife" });
