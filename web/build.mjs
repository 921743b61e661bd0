// Bundles the pages into web/dist, which the Worker serves as static assets. All pages are below
// `_lectern/`, so that no page shadows an object. `--origins FILE` replaces web/origins.txt,
// `--outdir DIR` replaces web/dist.
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
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
const bundle = (name, format) =>
  build({
    entryPoints: [`${here}/src/${name}.ts`],
    outdir: `${options.outdir}/_lectern`,
    bundle: true,
    define: { ORIGINS: JSON.stringify(origins) },
    format,
    target: ["es2022", "safari16"],
    minify: true,
    legalComments: "linked",
    logLevel: "warning",
  });
await bundle("play", "esm");
// Other pages load this script, and a module has no `document.currentScript`.
await bundle("embed", "iife");
