// Plays links to their ends in other players, on a page of another origin.
//   node others.mjs PLAYER LINK [PLAYER LINK …]
// PLAYER is one of `page.js`. Prints what happened as one JSON list. PAGES=3 plays three at once.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { SMALL_WINDOW, withChromium } from "./chromium.mjs";

const root = new URL("../../node_modules/", import.meta.url);
const scripts = {
  hlsjs: new URL("hls.js/dist/hls.min.js", root),
  shaka: new URL("shaka-player/dist/shaka-player.compiled.js", root),
  dashjs: new URL("dashjs/dist/modern/umd/dash.all.min.js", root),
  videojs: new URL("video.js/dist/video.min.js", root),
  page: new URL("page.js", import.meta.url),
};
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 120_000);

const server = createServer((request, response) => {
  const script = /^\/(\w+)\.js$/.exec(request.url)?.[1];
  if (scripts[script]) {
    response.setHeader("content-type", "text/javascript");
    createReadStream(scripts[script]).pipe(response);
  } else if (request.url === "/favicon.ico") {
    response.writeHead(204).end();
  } else {
    const [library] = request.url.slice(1).split("-");
    const needed = scripts[library] ? [library, "page"] : ["page"];
    response.setHeader("content-type", "text/html");
    response.end(
      `<!doctype html><video muted width=1280></video>${
        needed.map((name) => `<script src="/${name}.js"></script>`).join("")
      }`,
    );
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const origin = `http://127.0.0.1:${server.address().port}`;

/** Plays in a page that has played before: a new process for each play takes longer. */
async function play(page, player, link) {
  // Nothing of the last play is left.
  await page.goto("about:blank");
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
  const started = performance.now();
  const played = await page.evaluate(([player, link, limit]) => window.play(player, link, limit), [
    player,
    link,
    LIMIT_MS,
  ]);
  for (const event of ["response", "pageerror"]) page.removeAllListeners(event);
  return {
    player,
    ...played,
    seconds: (performance.now() - started) / 1000,
    errors: [...played.errors, ...errors],
    requests: requests.length,
    partial: requests.filter(({ status }) => status === 206).length,
    // The redirect to the directory's pass, and ranges.
    refused: requests.filter(({ status }) => ![200, 206, 302, 303, 307].includes(status)),
    pictures: requests.filter(({ path }) => path.includes("/iframes/")).length,
  };
}

try {
  await withChromium(async (context) => {
    const args = process.argv.slice(2);
    const all = [];
    const plays = Array.from(
      { length: args.length >> 1 },
      (_, at) => args.slice(2 * at, 2 * at + 2),
    ).entries();
    const playNext = async () => {
      const page = await context.newPage();
      for (const [at, [player, link]] of plays) all[at] = await play(page, player, link);
    };
    await Promise.all(Array.from({ length: Number(process.env.PAGES ?? 1) }, playNext));
    console.log(JSON.stringify(all));
  }, SMALL_WINDOW);
} finally {
  server.close();
  server.closeAllConnections();
}
