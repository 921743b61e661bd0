// The best order of Variant Streams: `node bench/order.mjs [--rounds 5] [--orders
// 480,720,1080/480,1080,720]`, after `make build`. A film plays on slow networks in hls.js and in
// Chromium's own player, with all orders at once, on pages that Chromium throttles separately. It
// is a clip of LECTERN_CLIPS, looped, or the sample lecture, whose slides are too light for these
// networks.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { withChromium } from "../tests/browser/chromium.mjs";
import { Client, linkToken, print, shown, summary } from "./common.mjs";
import { Server } from "./server.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "30" },
    orders: { type: "string", default: "480,720,1080/480,1080,720" },
    players: { type: "string", default: "hls.js,native" },
  },
});
const orders = options.orders.split("/");
const root = resolve(import.meta.dirname, "..");
const MBIT = 1e6 / 8;
/** Bytes per second, in turns. */
const NETWORKS = { "1 Mbit/s": [MBIT], "3 and 0.6 Mbit/s": [3 * MBIT, 0.6 * MBIT] };
const TURN_MS = 8000;
const LATENCY_MS = 60;

const secret = randomBytes(32);
const keys = [{ kid: "bench", secret: secret.toString("base64url") }];
const exp = Math.floor(Date.now() / 1000) + 86_400;
const token = (claims) => linkToken(secret, { exp, path: "/film/", ...claims });

/** A film of a minute, packaged. */
function packaged(folder) {
  const clips = process.env.LECTERN_CLIPS ?? join(root, "../shared/clips");
  const clip = join(clips, "bbb-1080p25-fullrange-5s.mp4");
  const [film, out, lectern] = [join(folder, "film.mp4"), join(folder, "out"), join(root, "target/release/lectern")];
  if (existsSync(clip)) {
    execFileSync("ffmpeg", ["-v", "error", "-stream_loop", "11", "-i", clip, "-map", "0:v", "-c", "copy", film]);
  } else {
    execFileSync(lectern, ["sample", "--seconds", "60", "-o", film], { stdio: "ignore" });
  }
  // A preset that makes it about as heavy as film: 0.8, 1.8 and 3.3 Mbit/s.
  const how = ["--preset", "superfast", "--no-mp4", "--no-storyboard"];
  execFileSync(lectern, ["package", film, "-o", out, ...how], { stdio: "ignore" });
  return out;
}

/** The Multivariant Playlist with its Variant Streams in this order. */
function ordered(master, order) {
  const variants = new Map([...master.matchAll(/#EXT-X-STREAM-INF:.*RESOLUTION=\d+x(\d+).*\n.*\n/g)].map(([text, height]) => [height, text]));
  const others = [...variants.values()].reduce((text, variant) => text.replace(variant, ""), master);
  return others + order.split(",").map((height) => variants.get(height) ?? fail(`${height} lines are not in\n${master}`)).join("");
}

const fail = (why) => {
  throw new Error(why);
};

async function play(context, page, player, link, network) {
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const rates = NETWORKS[network];
  const turn = (at) =>
    session
      .send("Network.emulateNetworkConditions", {
        offline: false,
        latency: LATENCY_MS,
        downloadThroughput: rates[at % rates.length],
        uploadThroughput: MBIT,
      })
      // The page may be closed.
      .catch(() => {});
  let turns = 0;
  await turn(turns);
  const timer = setInterval(() => turn((turns += 1)), TURN_MS);
  try {
    return await page.evaluate(
      ([player, link, seconds]) =>
        new Promise((done, failed) => {
          const video = document.querySelector("video");
          const started = performance.now();
          let [first, stalls, waiting, stalled] = [undefined, 0, undefined, 0];
          let [lines, looks] = [0, 0];
          video.requestVideoFrameCallback(() => (first = performance.now()));
          video.addEventListener("waiting", () => {
            if (first === undefined || waiting !== undefined) return;
            stalls += 1;
            waiting = performance.now();
          });
          video.addEventListener("playing", () => {
            if (waiting !== undefined) stalled += performance.now() - waiting;
            waiting = undefined;
          });
          video.addEventListener("error", () => failed(new Error(video.error?.message)));
          setInterval(() => {
            if (first === undefined || waiting !== undefined) return;
            lines += video.videoHeight;
            looks += 1;
          }, 100);
          setTimeout(() => {
            if (waiting !== undefined) stalled += performance.now() - waiting;
            const start = ((first ?? performance.now()) - started) / 1000;
            done({ start, stalls, stalled: stalled / 1000, lines: looks ? lines / looks : 0, last: video.videoHeight });
          }, seconds * 1000);
          if (player === "hls.js") {
            const hls = new window.Hls();
            hls.loadSource(link);
            hls.attachMedia(video);
          } else {
            video.src = link;
          }
          video.play().catch(() => {});
        }),
      [player, link, Number(options.seconds)],
    );
  } finally {
    clearInterval(timer);
    await page.close();
  }
}

const pages = createServer((request, response) => {
  if (request.url === "/hls.js") {
    response.setHeader("content-type", "text/javascript");
    createReadStream(join(root, "node_modules/hls.js/dist/hls.min.js")).pipe(response);
  } else {
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><video muted width=1280></video><script src="/hls.js"></script>');
  }
});
await new Promise((listening) => pages.listen(0, "127.0.0.1", listening));

const folder = mkdtempSync(join(tmpdir(), "lectern-order-"));
try {
  const out = packaged(folder);
  const server = await Server.ofProject(keys);
  const environment = { ...process.env, LECTERN_KEYS: JSON.stringify(keys) };
  execFileSync(join(root, "target/release/lectern"), ["publish", out, `${server.origin}/film/`], { env: environment, stdio: "ignore" });
  const master = readFileSync(join(out, "master.m3u8"), "utf8");
  console.log(master.match(/BANDWIDTH=.*?,CODECS|RESOLUTION=\d+x\d+/g).join(" "));
  const client = new Client(server.origin, 1);
  for (const [at, order] of orders.entries()) {
    const body = Buffer.from(ordered(master, order));
    const headers = {
      "Authorization": `Bearer ${token({ use: "upload" })}`,
      "Content-Type": "application/vnd.apple.mpegurl",
      "Content-Length": body.length,
    };
    const { status } = await client.fetch(`/film/order-${at}.m3u8`, { method: "PUT", headers, body });
    if (status !== 200) fail(`cannot upload the order ${order}: ${status}`);
  }
  client.close();
  const measured = new Map();
  await withChromium(async (context) => {
    for (let round = 0; round < Number(options.rounds); round += 1) {
      for (const network of Object.keys(NETWORKS)) {
        for (const player of options.players.split(",")) {
          const plays = orders.map(async (order, at) => {
            const page = await context.newPage();
            await page.goto(`http://127.0.0.1:${pages.address().port}/`);
            const link = `${server.origin}/film/order-${at}.m3u8?token=${token()}`;
            const key = [network, player, order].join(" · ");
            measured.set(key, [...(measured.get(key) ?? []), await play(context, page, player, link, network)]);
          });
          await Promise.all(plays);
        }
      }
      console.error(`round ${round + 1} of ${options.rounds}`);
    }
  });
  const rows = [...measured].sort().map(([key, plays]) => {
    const of = (what) => shown(summary(plays.map((play) => play[what])));
    return [key, of("start"), of("stalls"), of("stalled"), of("lines"), of("last")];
  });
  print([
    [`median (10 %–90 %) of ${options.rounds} rounds of ${options.seconds} s`, "first picture s", "stalls", "stalled s", "mean lines", "lines at last"],
    ...rows,
  ]);
} finally {
  pages.close();
  pages.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
