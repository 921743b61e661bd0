// Names of uploaded objects, made of the names of files. Pure.

/** The longest name in bytes. A key has 1,024, and its folder and `.status.json` need some. */
const MAX_NAME_BYTES = 200;
const MAX_EXTENSION_LENGTH = 8;

/**
 * Makes a name that every edge accepts: letters, digits, `-`, `_` and `.` of any script. The edge
 * refuses `\`, `;`, control characters and names that are percent-encoded twice.
 */
export function objectNameOf(fileName: string): string {
  const name = fileName.normalize("NFC").replaceAll(/[^\p{L}\p{M}\p{N}._-]+/gu, "-");
  const [stem, extension] = splitName(name);
  const clean = stem.replaceAll(/-{2,}/g, "-").replaceAll(/^[-._]+|[-._]+$/g, "");
  return cut(clean || "lecture", MAX_NAME_BYTES - extension.length) + extension.toLowerCase();
}

/** The name with a number: `intro-2.mp4`. */
export function numberedName(name: string, number: number): string {
  const [stem, extension] = splitName(name);
  const ending = `-${number}${extension}`;
  return cut(stem, MAX_NAME_BYTES - ending.length) + ending;
}

/** The stem, and the extension with its dot or nothing. */
function splitName(name: string): [string, string] {
  const dot = name.lastIndexOf(".");
  const extension = name.slice(dot);
  const isExtension = dot > 0 && /^\.[a-z0-9]+$/i.test(extension);
  if (!isExtension || extension.length > MAX_EXTENSION_LENGTH) return [name, ""];
  return [name.slice(0, dot), extension];
}

/** The longest beginning of whole characters with at most `limit` bytes of UTF-8. */
function cut(text: string, limit: number): string {
  let [kept, bytes] = ["", 0];
  for (const character of text) {
    bytes += new TextEncoder().encode(character).length;
    if (bytes > limit) break;
    kept += character;
  }
  return kept;
}
