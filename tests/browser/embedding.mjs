// Opens links with `origin` in pages of several sites in Chromium.
//   node embedding.mjs EDGE LECTERN URL
// LECTERN is the command that mints links to URL, with the keys of the environment.
// Prints what each page shows as one JSON object.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { withChromium } from "./chromium.mjs";

const [edge, lectern, url] = process.argv.slice(2);
const hls = readFileSync(
  fileURLToPath(new URL("../../node_modules/hls.js/dist/hls.min.js", import.meta.url)),
);

/** A site whose pages are the texts that its visitor asks for. */
async function site(host) {
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://site");
    const isScript = url.pathname === "/hls.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(
      isScript
        ? hls
        : `<!doctype html><meta charset=utf-8><title>A site</title>${
          url.searchParams.get("html") ?? ""
        }`,
    );
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const origin = `http://${host}:${server.address().port}`;
  return { origin, server, page: (html) => `${origin}/?html=${encodeURIComponent(html)}` };
}

const [school, wrong] = [await site("localhost"), await site("127.0.0.1")];
const run = promisify(execFile);
const link = async (...origins) =>
  (await run(lectern, ["link", url, ...origins.flatMap((origin) => ["--origin", origin])])).stdout
    .trim();
const [bySchool, byEdge] = [await link(school.origin), await link(school.origin, edge)];
const escaped = (url) => url.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
const frame = (url) =>
  `<iframe src="${escaped(url)}" allow="autoplay" width=640 height=360></iframe>`;
const player = (link) => `${edge}/_lectern/play#${link.replace(edge, "")}`;
const embed = `<script src="${edge}/_lectern/embed.js"></script>`;
/** A page that claims to be every site. */
const liar = `<script>
  const lie = { type: "lectern:here", origin: "${school.origin}" };
  addEventListener("message", ({ source }) => source.postMessage(lie, "*"));
</script>`;
/** An alert, and the function that shows it. */
const alert = `<p role=alert hidden></p><script>
  const alert = document.querySelector("p");
  const say = (textContent) => Object.assign(alert, { textContent, hidden: false });
</script>`;
const own = (link) =>
  `<video muted></video>${alert}<script src=/hls.js></script><script>
  const hls = new Hls();
  hls.on("hlsError", (event, data) => data.fatal && say(data.response?.code));
  hls.loadSource("${link}"); hls.attachMedia(document.querySelector("video"));</script>`;
const native = (link) =>
  `<video muted src="${escaped(link)}"></video>${alert}<script>
  document.querySelector("video").onerror = () => say("error");</script>`;
/** Forges the header of the player page, in a page of its own. */
const forged = (link) =>
  `<video></video>${alert}<script>
  fetch("${link}", { headers: { "Lectern-Embedder": "${school.origin}" } })
    .then(({ status }) => String(status), String).then(say);</script>`;

const pages = {
  "right page": school.page(frame(player(bySchool))),
  "right page with the script": school.page(embed + frame(player(bySchool))),
  "right page's own player": school.page(own(bySchool)),
  "right page in a right page": school.page(frame(school.page(frame(player(bySchool))))),
  "wrong page": wrong.page(frame(player(bySchool))),
  "wrong page with the script": wrong.page(embed + frame(player(bySchool))),
  "wrong page that lies": wrong.page(liar + frame(player(bySchool))),
  "wrong page's own player": wrong.page(own(bySchool)),
  "wrong page's video element": wrong.page(native(bySchool)),
  "wrong page that forges the header": wrong.page(forged(bySchool)),
  "wrong page around a right page": wrong.page(frame(school.page(embed + frame(player(bySchool))))),
  "right page around a wrong page": school.page(embed + frame(wrong.page(frame(player(bySchool))))),
  "no page": player(bySchool),
  "no page, for the edge's own": player(byEdge),
  "wrong page, for the edge's own": wrong.page(frame(player(byEdge))),
};
/** Browsers that do not name the pages around a page leave it to the pages. */
const unnamed = {
  "right page with the script": pages["right page with the script"],
  "right page without the script": pages["right page"],
  "wrong page with the script": pages["wrong page with the script"],
  "wrong page that lies": pages["wrong page that lies"],
  "wrong page around a right page": pages["wrong page around a right page"],
};

/** Waits until the player of a page plays or says why not. */
async function settle(page, url) {
  await page.goto("about:blank");
  await page.goto(url);
  const deepest = async () => {
    for (;;) {
      for (const frame of page.frames().toReversed()) {
        if (await frame.$("video").catch(() => null)) return frame;
      }
      await page.waitForTimeout(50);
    }
  };
  const frame = await deepest();
  return frame.evaluate(() => {
    const video = document.querySelector("video");
    const alert = document.querySelector("[role=alert]");
    video.muted = true;
    // A slow machine may show the card of a slow connection, which goes by itself.
    const isRefused = () =>
      !alert.hidden &&
      (alert.closest("lectern-video")?.getAttribute("state") ?? "refused") === "refused";
    return new Promise((resolve) => {
      const look = setInterval(() => {
        if (video.paused) video.play().catch(() => {});
        if (video.currentTime <= 1 && !isRefused()) return;
        clearInterval(look);
        resolve(isRefused() ? alert.textContent : "plays");
      }, 50);
    });
  });
}

async function settleAll(context, pages) {
  const page = await context.newPage();
  const seen = {};
  for (const [name, url] of Object.entries(pages)) seen[name] = await settle(page, url);
  return seen;
}

try {
  await withChromium(async (context) => {
    const named = await settleAll(context, pages);
    let found = false;
    await context.route(/\/_lectern\/assets\/(play|chunk)-.*\.js$/, async (route) => {
      const script = await (await route.fetch()).text();
      found ||= script.includes("location.ancestorOrigins");
      await route.fulfill({
        body: script.replaceAll("location.ancestorOrigins", "void 0"),
        contentType: "text/javascript",
      });
    });
    const seen = { named, unnamed: await settleAll(context, unnamed) };
    if (!found) throw new Error("the page asks the browser in another way");
    console.log(JSON.stringify(seen));
    // The last page may still ask for scripts.
    await context.unrouteAll({ behavior: "ignoreErrors" });
  });
} finally {
  for (const { server } of [school, wrong]) {
    server.close();
    server.closeAllConnections();
  }
}
