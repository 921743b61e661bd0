// Many viewers on one page, each with hls.js, at the speed at which it was filmed.
//   node watch.mjs COUNT LINK
// Prints a line when all have begun, and what became of each as one JSON list when all have ended.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { withChromium } from "./chromium.mjs";

const [count, link] = process.argv.slice(2);
const hls = new URL("../../node_modules/hls.js/dist/hls.min.js", import.meta.url);
const LIMIT_MS = 150_000;

const server = createServer((request, response) => {
  if (request.url === "/hls.js") {
    response.setHeader("content-type", "text/javascript");
    createReadStream(hls).pipe(response);
  } else {
    response.setHeader("content-type", "text/html");
    response.end('<!doctype html><script src="/hls.js"></script>');
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

/** In the page: plays, and tells what a viewer would notice. */
function watch([count, link, limit]) {
  const viewer = () =>
    new Promise((resolve) => {
      const video = Object.assign(document.createElement("video"), { muted: true, width: 120 });
      document.body.append(video);
      const told = { errors: [], stalls: 0, heights: new Set() };
      // Busy machines are behind with what is loaded, which is not the lecture's fault.
      let isPlaying = false;
      const isEmpty = () =>
        ![...Array(video.buffered.length).keys()].some((at) =>
          video.buffered.end(at) > video.currentTime + 0.2
        );
      video.addEventListener("playing", () => {
        if (!isPlaying) window.begun += 1;
        isPlaying = true;
      });
      video.addEventListener("waiting", () => {
        if (isPlaying && isEmpty() && video.currentTime < video.duration - 0.3) told.stalls += 1;
      });
      video.addEventListener("resize", () => told.heights.add(video.videoHeight));
      const end = (how) =>
        resolve({
          ...told,
          heights: [...told.heights],
          how,
          reached: video.currentTime,
          duration: video.duration,
        });
      video.addEventListener("ended", () => end("ended"));
      setTimeout(() => end("timeout"), limit);
      const player = new Hls();
      player.on(Hls.Events.ERROR, (_event, { details, fatal, error }) => {
        if (details !== "bufferStalledError") told.errors.push(`${details}: ${error?.message}`);
        if (fatal) end("error");
      });
      player.loadSource(link);
      player.attachMedia(video);
      void video.play();
    });
  window.begun = 0;
  window.all = Promise.all(Array.from({ length: count }, viewer));
}

try {
  await withChromium(async (context) => {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.evaluate(watch, [Number(count), link, LIMIT_MS]);
    await page.waitForFunction((count) => window.begun === count, Number(count), {
      timeout: LIMIT_MS,
    });
    console.log("begun");
    console.log(JSON.stringify(await page.evaluate(() => window.all)));
  });
} finally {
  server.close();
  server.closeAllConnections();
}
