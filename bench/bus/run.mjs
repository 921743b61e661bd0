// A film over slow lines in Chromium: as one MP4, in hls.js with its defaults, and in our player.
//   node bench/bus/run.mjs [--quick] [--only LINE] [--players mp4,hls.js,lectern] [--output FOLDER] [--keep FOLDER]
// `--keep` names a folder for the encoded film, which the next run uses again.
// FILM names a film of two minutes or more. Without it, the clips of a folder `LECTERN_CLIPS` serve,
// else the sample lecture, whose slides play over any line. Prints a table, and writes the bus as an
// SVG: `make bench-bus`.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { withChromium } from "../../tests/browser/chromium.mjs";
import { digits, linkToken, print } from "../common.mjs";
import { Server } from "../server.mjs";
import { Line, LINES } from "./line.mjs";
import { drawing } from "./svg.mjs";
import { summarize, watch } from "./watch.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean" },
    only: { type: "string" },
    players: { type: "string", default: "mp4,hls.js,lectern" },
    output: { type: "string" },
    keep: { type: "string" },
  },
});
const root = resolve(import.meta.dirname, "../..");
const folder = options.keep ?? mkdtempSync(join(tmpdir(), "lectern-bus-"));
mkdirSync(folder, { recursive: true });
if (!options.keep) process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** The seconds of film for a whole ride. */
const FILM_SECONDS = 130;
/** The seconds of a view on a line whose rate does not change. */
const STEADY_SECONDS = 40;
/** The second of the far seek. */
const FAR = 110;

function run(command, args, environment = {}) {
  const done = spawnSync(command, args, { env: { ...process.env, ...environment }, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}\n${done.stderr}`);
}

/** Makes a file, unless an earlier run kept it. */
function made(name, make) {
  const path = join(folder, name);
  if (!existsSync(path)) make(path);
  return path;
}

/** The film, and the words that name it in the table. */
function footage() {
  const clip = join(process.env.LECTERN_CLIPS ?? join(root, "../shared/clips"), "bbb-1080p25-fullrange-5s.mp4");
  const { FILM } = process.env;
  const length = ["-t", String(FILM_SECONDS)];
  if (FILM) return [made("film.mkv", (path) => run("ffmpeg", ["-v", "error", "-i", FILM, ...length, "-c", "copy", path])), FILM];
  if (existsSync(clip)) {
    const repeat = (path) => run("ffmpeg", ["-v", "error", "-stream_loop", "-1", "-i", clip, ...length, "-c", "copy", path]);
    return [made("film.mkv", repeat), "film: Big Buck Bunny, 1080p, 5 s repeated"];
  }
  const slides = (path) => run(lectern, ["sample", "--seconds", String(FILM_SECONDS), "-o", path]);
  return [made("film.mp4", slides), "slides, on which everything plays: set FILM to a film"];
}

const lectern = join(root, "target/debug/lectern");
const [film, name] = footage();
const kid = "bench";
const secret = randomBytes(32);
const keys = [{ kid, secret: secret.toString("base64url") }];
const lecture = made("package", (path) => run(lectern, ["package", film, "-o", path]));
// What most people upload elsewhere: one file, whose index comes first.
const encode = ["-c:v", "libx264", "-preset", "medium", "-crf", "23", "-c:a", "aac", "-movflags", "+faststart"];
const mp4 = made("one.mp4", (path) => run("ffmpeg", ["-v", "error", "-i", film, ...encode, path]));
const edge = await Server.ofProject(keys);
for (const visit of ["warm", "cold"]) {
  const environment = { LECTERN_KEYS: JSON.stringify(keys) };
  run(lectern, ["publish", lecture, `${edge.origin}/${visit}/`], environment);
  run(lectern, ["upload", mp4, `${edge.origin}/${visit}/one.mp4`], environment);
}

/** A course's page with a player that people write themselves. */
const page = (body) => `<!doctype html><meta name="viewport" content="width=device-width"><title>A course</title>${body}`;
const script = readFileSync(join(root, "node_modules/hls.js/dist/hls.min.js"));
const school = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://school.example");
  response.setHeader("cache-control", "max-age=3600");
  if (pathname === "/hls.js") {
    response.setHeader("content-type", "text/javascript");
    return response.end(script);
  }
  const link = searchParams.get("link");
  const video = "<video playsinline controls style='width:100%'";
  response.setHeader("content-type", "text/html");
  response.end(
    page(
      pathname === "/mp4"
        ? `${video} src="${link}"></video>`
        : `${video}></video><script src="/hls.js"></script><script>
           const hls = new Hls();
           hls.loadSource(${JSON.stringify(link)});
           hls.attachMedia(document.querySelector("video"));
           </script>`,
    ),
  );
});
await new Promise((listening) => school.listen(0, "127.0.0.1", listening));
const schoolOrigin = `http://127.0.0.1:${school.address().port}`;

const token = (lecture) => linkToken(secret, { path: `/${lecture}/`, exp: Math.floor(Date.now() / 1_000) + 7_200, sub: "priya" });
const urls = {
  mp4: (edge, school, lecture) => `${school}/mp4?link=${encodeURIComponent(`${edge}/${lecture}/one.mp4?token=${token(lecture)}`)}`,
  "hls.js": (edge, school, lecture) =>
    `${school}/hls?link=${encodeURIComponent(`${edge}/${lecture}/master.m3u8?token=${token(lecture)}`)}`,
  lectern: (edge, _school, lecture) => `${edge}/_lectern/play#/${lecture}/master.m3u8?token=${token(lecture)}`,
};

/** Plays the film on one line, cold and warm. Returns a view of each. */
async function views(player, lineName) {
  const line = new Line(LINES[lineName]);
  const [slowEdge, slowSchool] = [await line.to(edge.origin), await line.to(schoolOrigin)];
  const seconds = lineName === "bus" ? FILM_SECONDS + 20 : STEADY_SECONDS;
  const view = async (context, lecture) => {
    const page = await context.newPage();
    await page.addInitScript(watch);
    line.restart();
    await page.goto(urls[player](slowEdge, slowSchool, lecture), { waitUntil: "commit", timeout: 0 });
    await page.waitForTimeout(seconds * 1_000);
    if (lineName === "1 Mb/s") {
      await page.evaluate((far) => (document.querySelector("video").currentTime = far), FAR);
      await page.waitForTimeout(10_000);
    }
    const seen = await page.evaluate(() => window.seen);
    await page.close();
    return { player, line: lineName, visit: lecture, seen, ...summarize(seen, line.bytes) };
  };
  const all = [];
  await withChromium(async (context) => all.push(await view(context, "cold")));
  await withChromium(async (context) => {
    // The first visit, on a good line. The browser keeps the scripts.
    line.ease(true);
    const page = await context.newPage();
    await page.addInitScript(watch);
    await page.goto(urls[player](slowEdge, slowSchool, "cold"), { waitUntil: "commit", timeout: 0 });
    await page.waitForFunction(() => document.querySelector("video")?.currentTime > 4, undefined, { timeout: 0 });
    await page.close();
    line.ease(false);
    all.push(await view(context, "warm"));
  });
  line.close();
  return all;
}

const lines = options.only ? [options.only] : options.quick ? ["bus"] : Object.keys(LINES);
const results = [];
for (const lineName of lines)
  for (const player of options.players.split(",")) results.push(...(await views(player, lineName)));

console.log(`${name}, one MP4 of ${digits((statSync(mp4).size * 8) / FILM_SECONDS / 1e6)} Mb/s\n`);
const rows = [["line, player, visit", "start s", "stalls", "stalled s", "height", "watched s", "MB", "far seek s"]];
for (const { line, player, visit, start, stalls, stalled, height, watched, bytes, seek } of results)
  rows.push([
    `${line}, ${player}, ${visit}`,
    start === undefined ? "never" : digits(start),
    String(stalls),
    digits(stalled),
    String(Math.round(height)),
    digits(watched),
    digits(bytes / 1e6),
    seek === undefined ? "-" : digits(seek),
  ]);
print(rows);
if (options.output) {
  const bus = results.filter(({ line, visit }) => line === "bus" && visit === "cold");
  writeFileSync(join(options.output, "bus.svg"), drawing(LINES.bus.steps, bus, FILM_SECONDS + 20));
  writeFileSync(join(folder, "results.json"), JSON.stringify(results));
}
edge.stop();
school.close();
school.closeAllConnections();
