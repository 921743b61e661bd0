// Compares the gzipped size of the Worker and the page with size-budget.json. A change that needs
// more raises the number there, on purpose.
import { globSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budget = JSON.parse(readFileSync("size-budget.json", "utf8"));
let failed = false;
for (const [name, { files, gzip }] of Object.entries(budget)) {
  const found = files.flatMap((pattern) => globSync(pattern));
  if (found.length < files.length) throw new Error(`${name}: build it first, not all of ${files.join(", ")} are there`);
  const size = found.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
  const over = size > gzip;
  failed ||= over;
  console.log(`${over ? "✘" : "✔"} ${name}: ${size} bytes gzipped, ${gzip} allowed`);
}
process.exit(failed ? 1 : 0);
