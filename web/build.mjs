// Bundles the pages into web/dist, which the Worker serves as static assets. Everything lies below `_lectern/`, so that
// no page can stand where an object's key leads.
import { cp, mkdir, rm } from "node:fs/promises";
import { build } from "esbuild";

const here = import.meta.dirname;
await rm(`${here}/dist`, { recursive: true, force: true });
await mkdir(`${here}/dist`, { recursive: true });
await cp(`${here}/public`, `${here}/dist`, { recursive: true });
await build({
  entryPoints: [`${here}/src/play.ts`],
  outdir: `${here}/dist/_lectern`,
  bundle: true,
  format: "esm",
  target: ["es2022", "safari16"],
  minify: true,
  legalComments: "linked",
  logLevel: "warning",
});
