// Compares the gzipped size of the Worker and the page with size-budget.json. A script counts with
// those that it imports. A change that needs more raises the number there, on purpose.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

const budget = JSON.parse(readFileSync("size-budget.json", "utf8"));
let failed = false;

/** A script and the ones that it imports at once. Those that it imports later load on demand. */
function withImports(script, found = new Set()) {
  if (found.has(script)) return found;
  found.add(script);
  const imports = readFileSync(script, "utf8").matchAll(/(?:\bfrom|\bimport)\s*"(\.\/[^"]+\.js)"/g);
  for (const [, path] of imports) withImports(join(dirname(script), path), found);
  return found;
}

for (const [name, { files, gzip }] of Object.entries(budget)) {
  const named = files.flatMap((pattern) => globSync(pattern));
  const found = [...named.reduce((all, file) => (file.endsWith(".js") ? withImports(file, all) : all.add(file)), new Set())];
  if (named.length < files.length) throw new Error(`${name}: build it first, not all of ${files.join(", ")} are there`);
  const size = found.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
  const over = size > gzip;
  failed ||= over;
  console.log(`${over ? "✘" : "✔"} ${name}: ${size} bytes gzipped, ${gzip} allowed`);
}
process.exit(failed ? 1 : 0);
