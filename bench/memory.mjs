// Memory of the player page over a long lecture at 3× speed: `node bench/memory.mjs`, after `make
// build`. A lecture of three hours is published to a local edge and plays in Chromium. Each row
// shows the JavaScript heap after a garbage collection, the renderer's own memory, and what
// the video element holds. It fails if memory grows from the second quarter to the last,
// or if the lecture stops.
//   --minutes 10    time to play; 60 reach the lecture's end
//   --hours 3       length of the lecture
//   --package DIR   a package to play in place of the own one, which .demo/memory/ keeps
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { withBareChromium } from "../tests/browser/bare-chromium.mjs";
import { SMALL_WINDOW } from "../tests/browser/chromium.mjs";
import { renderers } from "../tests/browser/processes.mjs";
import { linkToken, print, summary } from "./common.mjs";
import { Server } from "./server.mjs";

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    hours: { type: "string", default: "3" },
    package: { type: "string" },
  },
});
const root = resolve(import.meta.dirname, "..");
const lectern = join(root, "target/debug/lectern");
const SPEED = 3;
const ROWS = 20;
const MB = 1e6;
/** Growth that is no leak: of the last quarter's median over the second's, in bytes. */
const MAY_GROW = { heap: 3 * MB, resident: 20 * MB };

const minutes = Number(options.minutes);
const secret = randomBytes(32);
const keys = [{ kid: "bench", secret: secret.toString("base64url") }];
const folder = options.package ?? packaged(Number(options.hours));
const server = await Server.ofProject(keys);
const env = { ...process.env, LECTERN_KEYS: JSON.stringify(keys) };
const prefix = `${server.origin}/memory/`;
run(lectern, ["publish", "--quiet", folder, prefix], env);
const exp = Math.floor(Date.now() / 1000) + 86_400;
const token = linkToken(secret, { exp, path: "/memory/" });

const page = `${server.origin}/_lectern/play#/memory/master.m3u8?token=${token}`;
const samples = await withBareChromium(page, watch, SMALL_WINDOW);
report(samples);
server.stop();

/** A package of a minute of slides and speech, repeated for hours. */
function packaged(hours) {
  const kept = join(root, ".demo/memory", `${hours}-hours`);
  const out = join(kept, "package");
  if (existsSync(join(out, "master.m3u8"))) return out;
  mkdirSync(kept, { recursive: true });
  console.log(`packaging a lecture of ${hours} hours, once`);
  const at = (name) => join(kept, name);
  const ffmpeg = (...args) => run("ffmpeg", ["-v", "error", "-nostdin", "-y", ...args]);
  run(lectern, ["sample", "--quiet", "--seconds", "60", "--force", "-o", at("minute.mp4")]);
  const video = ["-vf", "scale=426:240,fps=10", "-c:v", "libx264", "-preset", "ultrafast"];
  const audio = ["-c:a", "aac", "-b:a", "64k"];
  ffmpeg("-i", at("minute.mp4"), ...video, ...audio, at("small.mp4"));
  const length = ["-t", String(hours * 3600)];
  ffmpeg("-stream_loop", "-1", "-i", at("small.mp4"), ...length, "-c", "copy", at("long.mp4"));
  const how = ["--ladder", "240", "--preset", "ultrafast"];
  const less = ["--no-loudnorm", "--no-mp4", "--no-storyboard"];
  run(lectern, ["package", at("long.mp4"), "-o", out, ...how, ...less]);
  return out;
}

function run(program, args, env = process.env) {
  execFileSync(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
}

async function watch({ call, evaluate }) {
  const isReady = "document.querySelector('video')?.readyState > 2";
  while (!(await evaluate(isReady))) await sleep(100);
  const video = "document.querySelector('video')";
  await evaluate(`Object.assign(${video}, { muted: true, playbackRate: ${SPEED} }).play()`);
  await call("Performance.enable");
  const samples = [];
  for (let row = 0; row <= ROWS; row += 1) {
    samples.push(await look(call, evaluate));
    const { at, heap, resident } = samples.at(-1);
    console.log(`${at.toFixed(0)} s of the lecture: heap ${mb(heap)}, renderer ${mb(resident)}`);
    if (row < ROWS) await sleep((minutes * 60_000) / ROWS);
  }
  // A player that does not play needs no memory.
  const isStuck = ({ at, state }, row) => state !== "ended" && at <= samples[row - 1]?.at;
  const stuck = samples.find(isStuck);
  if (stuck) throw new Error(`the lecture stopped: ${JSON.stringify(stuck)}`);
  return samples;
}

/** In the page: what plays. */
function playing() {
  const { currentTime, buffered, playbackRate } = document.querySelector("video");
  const state = document.querySelector("lectern-video").getAttribute("state");
  const indexes = [...Array(buffered.length).keys()];
  const ranges = indexes.map((at) => [buffered.start(at), buffered.end(at)]);
  return { at: currentTime, ranges, playbackRate, state };
}

async function look(call, evaluate) {
  await call("HeapProfiler.collectGarbage");
  const { metrics } = await call("Performance.getMetrics");
  const metric = (wanted) => metrics.find(({ name }) => name === wanted)?.value ?? NaN;
  return {
    ...(await evaluate(`(${playing})()`)),
    heap: metric("JSHeapUsedSize"),
    nodes: metric("Nodes"),
    listeners: metric("JSEventListeners"),
    // The page's renderer is the largest.
    resident: Math.max(...renderers().map(residentBytes)),
  };
}

/** Resident memory without the pages of the program itself. */
function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^RssAnon:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}

function report(samples) {
  const header = ["second", "state", "heap", "renderer", "nodes", "listeners", "held"];
  print([header, ...samples.map(row)]);
  const quarter = (at) => {
    const [from, to] = [at, at + 1].map((edge) => Math.floor((edge * samples.length) / 4));
    return samples.slice(from, to);
  };
  for (const name of Object.keys(MAY_GROW)) {
    const median = (at) => summary(quarter(at).map((sample) => sample[name])).median;
    const growth = median(3) - median(1);
    const isFlat = growth <= MAY_GROW[name];
    console.log(`${name}, from the second quarter to the last: ${mb(growth)}`);
    if (!isFlat) console.log(`  more than ${mb(MAY_GROW[name])}: it grows`);
    if (!isFlat) process.exitCode = 1;
  }
}

/** A sample as text. Ranges are relative to what plays. */
function row({ at, heap, resident, nodes, listeners, ranges, playbackRate, state }) {
  const held = ranges.map(([from, to]) => `${(from - at).toFixed(0)} to ${(to - at).toFixed(0)}`);
  const texts = [`${state} ${playbackRate}×`, mb(heap), mb(resident), nodes, listeners, held];
  return [at.toFixed(0), ...texts].map(String);
}

function mb(bytes) {
  return `${(bytes / MB).toFixed(1)} MB`;
}
