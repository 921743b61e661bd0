// Checks doc comments and type names against the rules of CONTRIBUTING.md. Prints file, line and remedy.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { pathToFileURL } from "node:url";

const OPENING = /^(What|Whether|As it is|None where)\b/;
const REMEDY = "begin with a noun or verb of the field";
const DOC_LINE = /^\s*(\/\/[/!])(?!\/)\s?(.*)$/;
const DOC_BLOCK = /\/\*\*[\s*]*([^\s*][^\n]*)/g;
const TYPE = /^\s*(?:pub(?:\([a-z: ]+\))? )?(?:struct|enum|trait|type) ([A-Z][A-Za-z0-9]*)/;

/**
 * Finds Rust doc comments whose first line has a forbidden opening.
 * @param {string} file @param {string} text @returns {string[]} complaints
 */
export function checkRust(file, text) {
  let previous;
  return text.split("\n").flatMap((line, at) => {
    const [, marker, sentence] = DOC_LINE.exec(line) ?? [];
    const isFirst = marker !== undefined && marker !== previous;
    previous = marker;
    const found = isFirst && OPENING.exec(sentence);
    return found ? [`${file}:${at + 1}: a doc comment begins with "${found[1]}": ${REMEDY}`] : [];
  });
}

/**
 * Finds JSDoc comments with a forbidden opening.
 * @param {string} file @param {string} text @returns {string[]} complaints
 */
export function checkScript(file, text) {
  return [...text.matchAll(DOC_BLOCK)].flatMap((block) => {
    const found = OPENING.exec(block[1]);
    const line = text.slice(0, block.index).split("\n").length;
    return found ? [`${file}:${line}: a doc comment begins with "${found[1]}": ${REMEDY}`] : [];
  });
}

/**
 * Finds type names that several files define and `allowed` does not list, and entries of `allowed` without duplicates.
 * @param {[string, string][]} files paths and texts @param {string[]} allowed @returns {string[]} complaints
 */
export function checkTypes(files, allowed) {
  /** @type {Map<string, string[]>} */
  const places = new Map();
  for (const [file, text] of files) {
    for (const [at, line] of text.split("\n").entries()) {
      const name = TYPE.exec(line)?.[1];
      if (name) places.set(name, [...(places.get(name) ?? []), `${file}:${at + 1}`]);
    }
  }
  const isDouble = (/** @type {string} */ name) => (places.get(name)?.length ?? 0) > 1;
  const doubles = [...places.keys()].filter((name) => isDouble(name) && !allowed.includes(name));
  const stale = allowed.filter((name) => !isDouble(name));
  return [
    ...doubles.map((name) => `${places.get(name)?.join(", ")}: \`${name}\` has several definitions: rename it, or list it in CONTRIBUTING.md, "Type names"`),
    ...stale.map((name) => `CONTRIBUTING.md: \`${name}\` has one definition: remove it from "Type names"`),
  ];
}

/**
 * The names that CONTRIBUTING.md lists.
 * @param {string} text @returns {string[]}
 */
export function allowedTypes(text) {
  const section = /^## Type names\n([^]*?)(?=^## |(?![^]))/m.exec(text)?.[1] ?? "";
  return [...section.matchAll(/^- `([A-Za-z0-9]+)`: /gm)].map((entry) => entry[1]);
}

function main() {
  const list = (/** @type {string[]} */ ...patterns) =>
    execFileSync("git", ["ls-files", "--", ...patterns], { encoding: "utf8" }).split("\n").filter(Boolean);
  const read = (/** @type {string} */ file) => readFileSync(file, "utf8");
  const rust = list("*.rs").map((file) => /** @type {[string, string]} */ ([file, read(file)]));
  const scripts = list("web/*.ts", "web/*.js", "web/*.mjs", "sdk/*.ts", "sdk/*.js");
  const complaints = [
    ...rust.flatMap(([file, text]) => checkRust(file, text)),
    ...scripts.flatMap((file) => checkScript(file, read(file))),
    ...checkTypes(rust, allowedTypes(read("CONTRIBUTING.md"))),
  ];
  for (const complaint of complaints) console.error(complaint);
  if (complaints.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(argv[1] ?? "").href) main();
