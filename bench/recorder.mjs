// Measures the recorder in Chromium with fake devices, against an edge.
//   node bench/recorder.mjs times|crashes|cuts|memory|troubles [--origin URL] [--rounds 5] [--seed 1]
// LECTERN_KEYS has the edge's keys. `times` measures from the start to the Multivariant Playlist,
// from a link to its first frame, and from the stop to the end of the playlist. `crashes` kills the
// browser at seeded moments. `cuts` records for `--minutes 30` while the line breaks five times.
// `memory` records for `--minutes`, beside a page that shows the same camera, and one that encodes it.
// `troubles` stops the renderer, lets the link expire, fills the disk and denies the devices.
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, request as ask } from "node:http";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import {
  kill,
  launch,
  noted,
  openRecorder,
  openViewer,
  record,
  renderersOf,
  seen,
} from "../tests/browser/recorder.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    origin: { type: "string", default: "http://127.0.0.1:8787" },
    rounds: { type: "string", default: "5" },
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: "1" },
  },
});
const { origin } = values;
const SMALL = { viewport: { width: 640, height: 700 } };
const lectern = process.env.LECTERN ?? "target/debug/lectern";
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function mint(path, use, lifetime = "6h") {
  const command = ["link", "-q", origin + path, "--use", use, "--for", lifetime];
  const { stdout, status, stderr } = spawnSync(lectern, command, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim().slice(origin.length);
}

/** A new folder: the recorder's fragment, and the link that plays. */
function newFolder(name, lifetime) {
  const folder = `/courses/live/${Date.now().toString(36)}-${name}/`;
  const watch = mint(`${folder}master.m3u8`, "play");
  const upload = mint(folder, "upload", lifetime);
  return { folder, watch, fragment: `${upload}&watch=${encodeURIComponent(watch)}` };
}

async function playlistOf(watch) {
  const master = await (await fetch(origin + watch)).text();
  const media = master.split("\n").find((line) => line && !line.startsWith("#"));
  const text = await (await fetch(new URL(media, origin + watch))).text();
  const seconds = [...text.matchAll(/^#EXTINF:([\d.]+)/gm)].map(([, length]) => Number(length));
  return {
    segments: seconds.length,
    seconds: seconds.reduce((sum, one) => sum + one, 0),
    isEnded: text.includes("ENDLIST"),
  };
}

async function withProfiles(count, use) {
  const made = Array.from({ length: count }, () => mkdtemp(`${tmpdir()}/lectern-recorder-`));
  const profiles = await Promise.all(made);
  try {
    return await use(...profiles);
  } finally {
    profiles.forEach(kill);
    await wait(500);
    const options = { recursive: true, force: true, maxRetries: 9 };
    await Promise.all(profiles.map((profile) => rm(profile, options)));
  }
}

const median = (numbers) =>
  numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)];

async function times() {
  await withProfiles(2, async (profile, viewers) => {
    const [recorder, watching] = [await launch(profile, SMALL), await launch(viewers, SMALL)];
    const all = { masterMs: [], playingMs: [], endMs: [] };
    for (let round = 0; round < Number(values.rounds); round++) {
      const { fragment, watch } = newFolder(`times-${round}`);
      const page = await openRecorder(recorder, origin, fragment, []);
      await record(page, "camera", 480);
      all.masterMs.push(await noted(page, "masterMs"));
      const viewer = await openViewer(watching, `${origin}/_lectern/play#${watch}`);
      all.playingMs.push(await seen(viewer, "playing"));
      await page.waitForTimeout(4_000);
      await page.locator("#stop").click();
      all.endMs.push(await noted(page, "endMs"));
      await page.locator("#done").waitFor();
      await Promise.all([page.close(), viewer.close()]);
    }
    for (const [name, list] of Object.entries(all)) {
      console.log(`${name}: median ${median([...list])}, ${list.join(" ")}`);
    }
    await Promise.all([recorder.close(), watching.close()]);
  });
}

/** A generator of numbers between 0 and 1 (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function crashes() {
  const next = random(Number(values.seed));
  for (let round = 0; round < Number(values.rounds); round++) {
    await withProfiles(2, async (profile, viewers) => {
      const { fragment, watch } = newFolder(`crash-${round}`);
      let recorder = await launch(profile, SMALL);
      const watching = await launch(viewers, SMALL);
      let page = await openRecorder(recorder, origin, fragment, []);
      await record(page, "camera", 480);
      await noted(page, "masterMs");
      const viewer = await openViewer(watching, `${origin}/_lectern/play#${watch}`);
      const recordedMs = 4_000 + next() * 8_000;
      await page.waitForTimeout(recordedMs);
      // The exact length at the moment of the kill.
      const [before, kept] = await page.evaluate(() => {
        const { recordedSeconds, keptSeconds } = document.documentElement.dataset;
        return [Number(recordedSeconds), Number(keptSeconds)];
      });
      kill(profile);
      await recorder.close().catch(() => {});
      recorder = await launch(profile, SMALL);
      page = await openRecorder(recorder, origin, fragment, []);
      await page.locator("#finish").click();
      await page.locator("#done").waitFor();
      await seen(viewer, "ended");
      const { seconds, segments, isEnded } = await playlistOf(watch);
      const lost = Math.round((before - seconds) * 100) / 100;
      // On a busy machine, most of it waited in the encoder.
      console.log(JSON.stringify({ round, before, kept, seconds, segments, lost, isEnded }));
      await Promise.all([recorder.close(), watching.close()]);
    });
  }
}

/** A line to the edge that breaks at will. */
async function startLine() {
  const line = { isCut: false };
  const server = createServer((incoming, response) => {
    if (line.isCut) return incoming.socket.destroy();
    const { hostname, port, host } = new URL(origin);
    const { url: path, method } = incoming;
    const headers = { ...incoming.headers, host };
    const asked = ask({ hostname, port, path, method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    asked.on("error", () => response.destroy());
    incoming.on("error", () => asked.destroy());
    incoming.pipe(asked);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  line.origin = `http://127.0.0.1:${server.address().port}`;
  line.cut = (isCut) => {
    line.isCut = isCut;
    if (isCut) server.closeAllConnections();
  };
  line.close = () => (server.closeAllConnections(), server.close());
  return line;
}

/** Anonymous memory of the renderers of a profile, in MB. */
async function residentMb(profile) {
  let kilobytes = 0;
  for (const pid of renderersOf(profile)) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    kilobytes += Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0);
  }
  return Math.round(kilobytes / 1024);
}

async function cuts() {
  const line = await startLine();
  await withProfiles(1, async (profile) => {
    const { fragment, watch } = newFolder("cuts");
    const recorder = await launch(profile, SMALL);
    const page = await openRecorder(recorder, line.origin, fragment, []);
    await record(page, "camera", 480);
    await noted(page, "masterMs");
    const devtools = await recorder.newCDPSession(page);
    const minutes = Number(values.minutes);
    const cutAt = [1, 2, 3, 4, 5].map((at) => Math.round((at * minutes * 60) / 6));
    const start = Date.now();
    let nextNote = 0;
    for (let second = 0; second < minutes * 60; second = Math.round((Date.now() - start) / 1000)) {
      const cut = cutAt.find((at) => second >= at && second < at + 20 + (at % 40));
      if ((cut !== undefined) !== line.isCut) {
        line.cut(cut !== undefined);
        console.log(`${second} s: the line is ${line.isCut ? "cut" : "back"}`);
      }
      if (second >= nextNote) {
        nextNote += 60;
        await devtools.send("HeapProfiler.collectGarbage");
        const { usedSize } = await devtools.send("Runtime.getHeapUsage");
        const stored = await page.locator("#stored").textContent();
        const time = await page.locator("#time").textContent();
        const heapMb = Math.round(usedSize / 2 ** 20);
        const resident = await residentMb(profile);
        console.log(JSON.stringify({ second, time, heapMb, residentMb: resident, stored }));
      }
      await wait(1_000);
    }
    line.cut(false);
    await page.locator("#stop").click();
    await page.locator("#done").waitFor();
    const time = await page.locator("#done-length").textContent();
    console.log(JSON.stringify({ ...(await playlistOf(watch)), time }));
    await recorder.close();
  });
  line.close();
}

/** What Chromium itself takes for the same camera. */
const BASELINES = {
  /** A preview of camera and microphone. */
  async preview(page) {
    await page.evaluate(async () => {
      const wanted = { video: { width: 1280, height: 720, frameRate: 30 }, audio: true };
      const stream = await navigator.mediaDevices.getUserMedia(wanted);
      const video = document.createElement("video");
      Object.assign(video, { muted: true, srcObject: stream });
      document.body.append(video);
      await video.play();
    });
  },
  /** The same, and an encoder and no muxer. */
  async encoder(page) {
    await BASELINES.preview(page);
    await page.evaluate(() => {
      const [track] = document.querySelector("body > video").srcObject.getVideoTracks();
      const encoder = new VideoEncoder({ output() {}, error: console.error });
      const size = { width: 640, height: 360, framerate: 30, bitrate: 800_000 };
      encoder.configure({ codec: "avc1.64001f", ...size, latencyMode: "realtime" });
      const reader = new MediaStreamTrackProcessor({ track: track.clone() }).readable.getReader();
      const encode = async () => {
        for (let count = 0; ; count++) {
          const { value: frame } = await reader.read();
          if (encoder.encodeQueueSize < 4) encoder.encode(frame, { keyFrame: count % 60 === 0 });
          frame.close();
        }
      };
      void encode();
    });
  },
  /** The recorder. */
  async recorder(page) {
    await record(page, "camera", 480);
  },
};

async function memory() {
  const [, ...only] = positionals;
  for (const [name, begin] of Object.entries(BASELINES)) {
    if (only.length > 0 && !only.includes(name)) continue;
    await withProfiles(1, async (profile) => {
      const recorder = await launch(profile, SMALL);
      const { fragment } = name === "recorder" ? newFolder(name) : { fragment: "" };
      const page = await openRecorder(recorder, origin, fragment, []);
      await begin(page);
      const devtools = await recorder.newCDPSession(page);
      for (let step = 0; step < 4 * Number(values.minutes); step++) {
        await wait(15_000);
        await devtools.send("HeapProfiler.collectGarbage");
        const used = await devtools.send("Runtime.getHeapUsage");
        const sizes = [used.usedSize, used.embedderHeapUsedSize, used.backingStorageSize];
        const [heapMb, domMb, buffersMb] = sizes.map((bytes) => Math.round(bytes / 2 ** 20));
        const facts = { name, seconds: 15 * (step + 1), heapMb, domMb, buffersMb };
        console.log(JSON.stringify({ ...facts, residentMb: await residentMb(profile) }));
      }
      await recorder.close();
    });
  }
}

const TROUBLES = {
  /** The renderer stands still, as on a computer that sleeps. */
  async sleep(page, profile) {
    await page.waitForTimeout(5_000);
    const stop = (signal) => spawnSync("kill", [signal, ...renderersOf(profile)]);
    stop("-STOP");
    await wait(60_000);
    stop("-CONT");
    return words(page, "gap");
  },
  /** The link expires, and a new one is pasted. */
  async expired(page, _profile, { folder }) {
    const said = await words(page, "upload");
    await page.locator("#new-link").fill(mint(folder, "upload"));
    await page.locator("#relink button").click();
    await page.locator('[data-kind="upload"]').waitFor({ state: "detached" });
    return said;
  },
  /** The disk is full while there is no connection. */
  async full(page) {
    const devtools = await page.context().newCDPSession(page);
    await page.context().setOffline(true);
    await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 100_000 });
    const said = await words(page, "disk");
    await page.waitForTimeout(6_000);
    await devtools.send("Storage.overrideQuotaForOrigin", { origin });
    await page.context().setOffline(false);
    return said;
  },
  /** The recording starts over. */
  async restart(page) {
    await page.waitForTimeout(5_000);
    await page.locator("#restart").click();
    await page.locator("#yes").click();
    await page.locator("#countdown").waitFor();
    await page.locator("#countdown").waitFor({ state: "hidden" });
    await page.waitForTimeout(5_000);
    return "";
  },
};

const words = (page, kind) => page.locator(`[data-kind="${kind}"] p`).textContent();

async function troubles() {
  for (const [name, meet] of Object.entries(TROUBLES)) {
    await withProfiles(1, async (profile) => {
      const folder = newFolder(name, name === "expired" ? "40s" : "6h");
      const recorder = await launch(profile, SMALL);
      const errors = [];
      const page = await openRecorder(recorder, origin, folder.fragment, errors);
      await record(page, "camera", 480);
      const said = await meet(page, profile, folder);
      await page.waitForTimeout(3_000);
      await page.locator("#stop").click();
      await page.locator("#done").waitFor();
      const length = await page.locator("#done-length").textContent();
      const playlist = await playlistOf(folder.watch);
      console.log(JSON.stringify({ name, said, length, errors, ...playlist }));
      await recorder.close();
    });
  }
}

await { times, crashes, cuts, memory, troubles }[positionals[0]]();
