// Processes of Chromium that this process has started.
import { readdirSync, readFileSync } from "node:fs";

function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** Ids of descendants whose command line contains `text`. */
function descendants(text) {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  // pid (comm) state ppid …
  const parent = new Map(
    all.map((pid) => [pid, read(pid, "stat").replace(/^.*\) . /s, "").split(" ")[0]]),
  );
  const isOurs = (pid) =>
    pid !== undefined && (pid === String(process.pid) || isOurs(parent.get(pid)));
  return all.filter((pid) => read(pid, "cmdline").includes(text) && isOurs(pid)).map(Number);
}

export const renderers = () => descendants("--type=renderer");

/** The first process of each browser. The others end with it. */
export const browsers = () =>
  descendants("--user-data-dir=").filter((pid) => !read(pid, "cmdline").includes("--type="));
