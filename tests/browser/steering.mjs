// Plays a strict link in hls.js on a bare page of another origin: pauses, seeks far, and plays to
// the end. Or plays until it stops, if a line arrives on standard input.
//   node steering.mjs LINK PAUSE_SECONDS SEEK_TO
// Prints "playing" when the lecture runs, and what happened as one JSON object.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { SMALL_WINDOW, withChromium } from "./chromium.mjs";

const [link, pause, to] = process.argv.slice(2);
const hls = new URL("../../node_modules/hls.js/dist/hls.min.js", import.meta.url);
const server = createServer((request, response) => {
  if (request.url === "/hls.js") {
    response.setHeader("content-type", "text/javascript");
    createReadStream(hls).pipe(response);
  } else {
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><video muted width=640></video><script src="/hls.js"></script>');
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

/** In the page: plays, and keeps what a viewer and an operator would notice. */
function watch(link) {
  const video = document.querySelector("video");
  // A short buffer, so that the player asks for segments all the time.
  const player = new Hls({ maxBufferLength: 12, maxBufferSize: 0 });
  const seen = {
    fatal: [],
    errors: [],
    manifests: 0,
    pathways: [],
    captions: { before: 0, after: 0 },
    longestStall: 0,
    stopped: undefined,
  };
  window.seen = seen;
  window.player = player;
  player.on(Hls.Events.ERROR, (_event, { details, fatal, response }) => {
    (fatal ? seen.fatal : seen.errors).push(`${details} ${response?.code ?? ""}`.trim());
  });
  player.on(Hls.Events.STEERING_MANIFEST_LOADED, () => (seen.manifests += 1));
  player.on(Hls.Events.LEVELS_UPDATED, () => {
    seen.pathways.push(player.pathwayPriority?.[0]);
  });
  // The viewer turns captions on.
  player.once(Hls.Events.FRAG_BUFFERED, () => {
    player.subtitleTrack = 0;
    player.subtitleDisplay = true;
  });
  const hasCaptions = () =>
    [...video.textTracks].some(({ mode, activeCues }) => mode === "showing" && activeCues?.length);
  // Milliseconds for which a lecture that should run did not. A seek may take longer.
  let position = 0;
  let since = performance.now();
  let hasSought = false;
  video.addEventListener("seeking", () => (hasSought = true));
  setInterval(() => {
    const now = performance.now();
    const runs = video.currentTime !== position || video.paused || video.ended || position === 0;
    if (runs) {
      if (!hasSought) seen.longestStall = Math.max(seen.longestStall, now - since);
      hasSought &&= video.seeking;
      if (hasCaptions() && !video.paused) {
        seen.captions[seen.pathways.length === 0 ? "before" : "after"] += 1;
      }
      position = video.currentTime;
      since = now;
      seen.stopped = undefined;
    } else {
      seen.stopped ??= Date.now();
    }
  }, 50);
  window.ended = new Promise((resolve) => video.addEventListener("ended", resolve));
  player.loadSource(link);
  player.attachMedia(video);
  return video.play();
}

try {
  await withChromium(async (context) => {
    const page = await context.newPage();
    const requests = [];
    page.on("response", (response) => {
      const url = new URL(response.url());
      if (url.origin === new URL(link).origin) {
        requests.push({ path: url.pathname, status: response.status() });
      }
    });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const line = await context.newCDPSession(page);
    await line.send("Network.enable");
    await line.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 20,
      downloadThroughput: 200_000,
      uploadThroughput: 60_000,
    });
    await page.evaluate(watch, link);
    await page.waitForFunction(() => document.querySelector("video").currentTime > 4, undefined, {
      timeout: 0,
    });
    console.log("playing");
    const video = page.locator("video");
    if (pause === undefined) {
      // Nothing moves for ten seconds.
      const isStopped = () =>
        Date.now() - window.seen.stopped > 10_000 || document.querySelector("video").ended;
      await page.waitForFunction(isStopped, undefined, { timeout: 0 });
    } else {
      await video.evaluate((video) => video.pause());
      await page.waitForTimeout(Number(pause) * 1000);
      await video.evaluate((video, to) => {
        video.currentTime = to;
        return video.play();
      }, Number(to));
      await page.evaluate(() => window.ended);
    }
    const state = await video.evaluate((video) => ({
      ended: video.ended,
      currentTime: video.currentTime,
      duration: video.duration,
    }));
    const segments = requests.map(({ path }) => path).filter((path) => path.endsWith(".m4s"));
    console.log(
      JSON.stringify({
        ...state,
        ...(await page.evaluate(() => window.seen)),
        refused: requests.filter(({ status }) => status >= 300),
        segments: segments.length,
        twice: segments.filter((path, at) => segments.indexOf(path) !== at),
        playlists: requests.filter(({ path }) => path.endsWith("playlist.m3u8")).length,
      }),
    );
  }, SMALL_WINDOW);
} finally {
  server.close();
  server.closeAllConnections();
}
