// Parses web/origins.txt. Pure: text in, origins out.

const HOST = /^([a-z0-9-]+\.)*[a-z0-9-]+$/;
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Parses a list of origins: one per line, `#` begins a comment. Each origin becomes a source of the
 * page's Content-Security-Policy, so a line must be exactly one origin.
 * @param {string} text
 * @returns {string[]}
 */
export function parseOrigins(text) {
  const origins = new Set();
  for (const [at, line] of text.split("\n").entries()) {
    const entry = line.replace(/#.*/, "").trim();
    if (entry === "") continue;
    const problem = problemOf(entry);
    if (problem) throw new Error(`web/origins.txt, line ${at + 1}, \`${entry}\`: ${problem}`);
    origins.add(entry);
  }
  return [...origins];
}

/** @param {string} entry */
function problemOf(entry) {
  const example = "write it as https://video.school.example";
  if (!URL.canParse(entry)) return `this is not an origin: ${example}`;
  const { origin, protocol, hostname } = new URL(entry);
  const isLoopback = LOOPBACK.has(hostname);
  if (!isLoopback && !HOST.test(hostname)) return `a host has only letters, digits, dots and hyphens: ${example}`;
  if (protocol !== "https:" && !(protocol === "http:" && isLoopback)) return `a link needs https: ${example}`;
  if (origin !== entry) return `an origin has no path, no trailing slash and no default port: write it as ${origin}`;
  return undefined;
}
