// Plays a link in every page that docs/embed.md shows, on another origin, for some seconds.
//   node embed.mjs LINK
// Prints what happened as one JSON list. What the pages load from jsDelivr comes from node_modules.
import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { withChromium } from "./chromium.mjs";

const [link] = process.argv.slice(2);
/** Beyond the first Media Segment. */
const ENOUGH_SECONDS = 5;
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 60_000);
const root = fileURLToPath(new URL("../../node_modules/", import.meta.url));
const types = { ".js": "text/javascript", ".css": "text/css" };

const guide = readFileSync(new URL("../../docs/embed.md", import.meta.url), "utf8");
const pages = [...guide.matchAll(/^## (.*)\n[^#]*?^```html\n([\s\S]*?)^```$/gm)].map((
  [, name, html],
) => ({ name, html }));

const server = createServer((request, response) => {
  const { html } = pages[Number(request.url.slice(1))] ?? { html: "" };
  response.setHeader("content-type", "text/html");
  response.end(
    `<!doctype html><meta charset=utf-8><title>A course</title>${
      html.replaceAll("VIDEO_URL", link.replaceAll("&", "&amp;"))
    }`,
  );
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));

/**
 * The file of jsDelivr at an address such as https://cdn.jsdelivr.net/npm/hls.js@1/dist/hls.min.js;
 * `/+esm` is a bundle of a module.
 */
async function fromCdn(url) {
  const [, name, path, bundled] =
    /^\/npm\/([^@/]+)@[^/]*\/(.*?)(\/\+esm)?$/.exec(decodeURIComponent(url.pathname)) ?? [];
  const file = `${root}${name}/${path}`;
  if (url.hostname !== "cdn.jsdelivr.net" || !existsSync(file) || !statSync(file).isFile()) {
    return undefined;
  }
  const body = bundled
    ? (await build({ entryPoints: [file], bundle: true, format: "esm", write: false }))
      .outputFiles[0].text
    : readFileSync(file, "utf8");
  return {
    body,
    contentType: types[extname(file)],
    headers: { "access-control-allow-origin": "*" },
  };
}

async function play(context, at) {
  const page = await context.newPage();
  const errors = [];
  const refused = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("response", (response) => {
    if (response.url().startsWith(new URL(link).origin) && response.status() >= 400) {
      refused.push(response.status());
    }
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/${at}`);
  const played = await page.evaluate(
    ([enough, limit]) =>
      new Promise((resolve) => {
        const started = performance.now();
        const look = setInterval(() => {
          const video = document.querySelector("video");
          const late = performance.now() - started > limit;
          if (video && video.paused && video.readyState >= 2) {
            video.muted = true;
            video.play().catch(() => {});
          }
          const { currentTime = 0, videoHeight = 0, error } = video ?? {};
          if (currentTime < enough && !error && !late) return;
          clearInterval(look);
          const frames = video?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
          resolve({ currentTime, videoHeight, frames, error: error?.message ?? null });
        }, 100);
      }),
    [ENOUGH_SECONDS, LIMIT_MS],
  );
  await page.close();
  return { name: pages[at].name, ...played, errors, refused };
}

try {
  await withChromium(async (context) => {
    const missing = new Set();
    await context.route(({ protocol }) => protocol === "https:", async (route) => {
      const url = new URL(route.request().url());
      const answer = await fromCdn(url);
      if (answer) return route.fulfill(answer);
      missing.add(url.href);
      return route.abort();
    });
    const all = [];
    for (const at of pages.keys()) all.push(await play(context, at));
    console.log(JSON.stringify({ pages: all, missing: [...missing] }));
  });
} finally {
  server.close();
  server.closeAllConnections();
}
