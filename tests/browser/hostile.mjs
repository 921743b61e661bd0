// Opens hostile playlists in players, on a page of another origin, and prints the browser's
// requests.
//   node hostile.mjs < [{ "player": PLAYER, "link": URL, "type": TYPE }, …]
// PLAYER is hlsjs, shaka, dashjs, native or page, TYPE the type that Shaka is told. Prints a list
// in the same order, without what the page itself needs:
//   { player, link, requests: [{ url, headers, body }, …] }
// A play ends when its page asks for nothing more.
import { createReadStream, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { SMALL_WINDOW, withChromium } from "./chromium.mjs";

const root = new URL("../../node_modules/", import.meta.url);
const scripts = {
  hlsjs: new URL("hls.js/dist/hls.min.js", root),
  shaka: new URL("shaka-player/dist/shaka-player.compiled.js", root),
  dashjs: new URL("dashjs/dist/modern/umd/dash.all.min.js", root),
};
/** Pages that are open at once for each player. */
const PAGES = Number(process.env.PAGES ?? 2);
/**
 * How long a page has to be quiet: players wait 0.1 s between steps, and are told not to try again.
 */
const QUIET_MS = 700;
/**
 * A player that opened its link and never gives up is left after this. The page tries for minutes.
 */
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 10_000);
/** A player that does not open its link is left after this. */
const START_LIMIT_MS = 60_000;

const server = createServer((request, response) => {
  const player = request.url.slice(1);
  const script = scripts[player.replace(/\.js$/, "")];
  if (request.url.endsWith(".js") && script) {
    response.setHeader("content-type", "text/javascript");
    // Hundreds of pages compile a player once.
    response.setHeader("cache-control", "max-age=3600");
    createReadStream(script).pipe(response);
  } else if (request.url === "/favicon.ico") {
    response.writeHead(204).end();
  } else {
    response.setHeader("content-type", "text/html");
    response.end(
      `<!doctype html><video muted width=320></video>${
        scripts[player] ? `<script src="/${player}.js"></script>` : ""
      }`,
    );
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}`;

/** Begins to play, in the page. */
function begin([player, link, type]) {
  const video = document.querySelector("video");
  const players = {
    hlsjs() {
      const none = {
        maxTimeToFirstByteMs: 9000,
        maxLoadTimeMs: 9000,
        timeoutRetry: null,
        errorRetry: null,
      };
      const policy = { default: none };
      const hls = new Hls({
        manifestLoadPolicy: policy,
        playlistLoadPolicy: policy,
        fragLoadPolicy: policy,
        keyLoadPolicy: policy,
        steeringManifestLoadPolicy: policy,
        interstitialAssetListLoadPolicy: policy,
      });
      hls.loadSource(link);
      hls.attachMedia(video);
      void video.play().catch(() => {});
    },
    shaka() {
      const player = new shaka.Player();
      const once = { maxAttempts: 1 };
      player.configure({
        manifest: { retryParameters: once },
        streaming: { retryParameters: once },
        drm: { retryParameters: once },
      });
      player
        .attach(video)
        .then(() => player.load(link, null, type))
        .then(() => video.play())
        .catch(() => {});
    },
    dashjs() {
      const player = dashjs.MediaPlayer().create();
      const none = {
        MPD: 0,
        XLinkExpansion: 0,
        InitializationSegment: 0,
        IndexSegment: 0,
        MediaSegment: 0,
        other: 0,
      };
      player.updateSettings({ streaming: { retryAttempts: none }, debug: { logLevel: 0 } });
      player.initialize(video, link, true);
    },
    native() {
      video.src = link;
      void video.play().catch(() => {});
    },
  };
  players[player]();
}

/** Plays in a page that has played before: a new process for each play takes most of the time. */
async function play(page, { player, link, type }) {
  // Nothing of the last play is left.
  await page.goto("about:blank");
  const requests = [];
  let waiting = 0;
  let last = performance.now();
  const step = (change) => () => {
    waiting += change;
    last = performance.now();
  };
  const began = performance.now();
  const note = (request) => {
    step(1)();
    const url = request.url();
    // The page's own files, and the fragment of the player page, which is not sent.
    if (url.startsWith(origin) || url.startsWith("blob:") || request.isNavigationRequest()) return;
    requests.push({ url, headers: request.headers(), body: request.postData() });
  };
  page.on("request", note);
  page.on("requestfinished", step(-1));
  page.on("requestfailed", step(-1));
  const { origin: edge } = new URL(link);
  if (player === "page") {
    await page.goto(`${edge}/_lectern/play#${link.replace(edge, "")}`);
  } else {
    await page.goto(`${origin}/${player}`);
    await page.evaluate(begin, [player, link, type]);
  }
  // Quiet counts from the first request on. A stream that never ends is ended by the limit.
  const isOpened = () => requests.some(({ url }) => url.startsWith(`${edge}/uploads/`));
  const pause = () => new Promise((later) => setTimeout(later, 50));
  while (!isOpened() && performance.now() - began < START_LIMIT_MS) await pause();
  const opened = performance.now();
  while (waiting > 0 || performance.now() - last < QUIET_MS) {
    if (performance.now() - opened > LIMIT_MS) break;
    await pause();
  }
  for (const event of ["request", "requestfinished", "requestfailed"]) {
    page.removeAllListeners(event);
  }
  return { player, link, requests };
}

try {
  await withChromium(async (context) => {
    const plays = JSON.parse(readFileSync(0, "utf8"));
    const all = [];
    const queues = Map.groupBy(plays.entries(), ([, { player }]) => player).values();
    const workers = [...queues].flatMap((queue) => {
      const rest = queue.values();
      return Array.from({ length: PAGES }, async () => {
        const page = await context.newPage();
        for (const [at, one] of rest) all[at] = await play(page, one);
        await page.close();
      });
    });
    await Promise.all(workers);
    console.log(JSON.stringify(all));
  }, SMALL_WINDOW);
} finally {
  server.close();
  server.closeAllConnections();
}
