// Plays links to their ends in players that are not ours, on a page of another origin.
//   node others.mjs PLAYER LINK [PLAYER LINK …]
// PLAYER is `shaka`, `dashjs`, `shaka-pictures`, which looks through the lecture by its I-frames, or `video`, the browser's
// own, which seeks to the last five seconds. Prints what happened as one JSON list.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { withChromium } from "./chromium.mjs";

const root = new URL("../../node_modules/", import.meta.url);
const scripts = {
  "shaka.js": new URL("shaka-player/dist/shaka-player.compiled.js", root),
  "dashjs.js": new URL("dashjs/dist/modern/umd/dash.all.min.js", root),
};
/** Times the speed at which it was filmed: what is tested is that every segment comes, in order. */
const SPEED = 4;
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 120_000);

const server = createServer((request, response) => {
  const name = request.url.slice(1);
  if (scripts[name]) {
    response.setHeader("content-type", "text/javascript");
    createReadStream(scripts[name]).pipe(response);
  } else if (name === "favicon.ico") {
    response.writeHead(204).end();
  } else {
    response.setHeader("content-type", "text/html");
    const [library] = name.split("-");
    const script = scripts[`${library}.js`] ? `<script src="/${library}.js"></script>` : "";
    response.end(`<!doctype html><video muted width=1280></video>${script}`);
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}`;

async function play(context, player, link) {
  const page = await context.newPage();
  const requests = [];
  const errors = [];
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (url.origin !== origin && url.protocol.startsWith("http")) {
      requests.push({ path: url.pathname.replace(/^\/~[^/]*/, ""), status: response.status() });
    }
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`${origin}/${player}`);
  const played = await page.evaluate(
    ([player, link, speed, limit]) =>
      new Promise((resolve) => {
        const video = document.querySelector("video");
        const errors = [];
        let facts = () => ({});
        const state = (how) => ({
          how,
          errors,
          currentTime: video.currentTime,
          duration: video.duration,
          height: video.videoHeight,
          frames: video.getVideoPlaybackQuality().totalVideoFrames,
          ...facts(),
        });
        const fail = (error) => {
          errors.push(error);
          resolve(state("error"));
        };
        video.addEventListener("ended", () => resolve(state("ended")));
        video.addEventListener("error", () => fail(`media error ${video.error?.code}: ${video.error?.message}`));
        setTimeout(() => resolve(state("timeout")), limit);
        if (player === "video") {
          video.addEventListener("loadedmetadata", () => (video.currentTime = video.duration - 5));
          video.addEventListener("seeked", () => video.play().catch((error) => fail(String(error))));
          video.src = link;
          return;
        }
        if (player === "dashjs") {
          const dash = window.dashjs.MediaPlayer().create();
          dash.on("error", (event) => fail(`dash.js ${event.error?.code}: ${event.error?.message}`));
          dash.initialize(video, link, true);
          facts = () => ({
            heights: dash.getRepresentationsByType("video").map((one) => one.height),
            audio: dash.getTracksFor("audio").map((track) => track.lang),
            text: dash.getTracksFor("text").map((track) => track.lang),
          });
          dash.on("playbackPlaying", () => (video.playbackRate = speed));
          return;
        }
        const shaka = new window.shaka.Player();
        const describe = (error) => `shaka ${error.code ?? ""} ${JSON.stringify(error.data ?? String(error))}`;
        shaka.addEventListener("error", (event) => fail(describe(event.detail)));
        facts = () => ({
          heights: [...new Set(shaka.getVariantTracks().map((track) => track.height))],
          audio: shaka.getAudioTracks().map((track) => track.language),
          text: shaka.getTextTracks().map((track) => track.language),
        });
        shaka
          .attach(video)
          .then(() => shaka.load(link))
          .then(() => video.play())
          .then(() => (player === "shaka" ? (video.playbackRate = speed) : shaka.trickPlay(2 * speed)))
          .catch((error) => fail(describe(error)));
      }),
    [player, link, SPEED, LIMIT_MS],
  );
  await page.close();
  return {
    player,
    ...played,
    errors: [...played.errors, ...errors],
    requests: requests.length,
    // The redirect to the directory's pass, and ranges.
    refused: requests.filter(({ status }) => ![200, 206, 302, 303, 307].includes(status)),
    partial: requests.filter(({ status }) => status === 206).length,
    pictures: requests.filter(({ path }) => path.includes("/iframes/")).length,
  };
}

try {
  await withChromium(async (context) => {
    const all = [];
    const args = process.argv.slice(2);
    for (let at = 0; at + 1 < args.length; at += 2) all.push(await play(context, args[at], args[at + 1]));
    console.log(JSON.stringify(all));
  });
} finally {
  server.close();
  server.closeAllConnections();
}
