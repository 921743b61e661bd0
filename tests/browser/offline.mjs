// Keeps a lecture on the device in Chromium as a viewer does, and plays it without a connection.
//   node offline.mjs ORIGIN LINK SHORT
// LINK and SHORT open a lecture of 40 seconds with a claim `offline`, for two viewers. The time of
// SHORT ends after some seconds. SCREENSHOTS names a folder for pictures. Prints what was seen as
// JSON.
import { createServer, request as ask } from "node:http";
import { withChromium } from "./chromium.mjs";

const [edge, link, short] = process.argv.slice(2);
const { SCREENSHOTS } = process.env;
const LIMIT_MS = 120_000;
const SEGMENT = /\.m4s$/;

/** A line to the edge that breaks at will, and notes what it carried. */
async function startLine() {
  const line = { loaded: [], isBroken: () => false };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, edge);
    if (line.isBroken(pathname)) return request.socket.destroy();
    const { host, port } = new URL(edge);
    const headers = { ...request.headers, host };
    const asked = ask({
      port,
      hostname: "127.0.0.1",
      path: request.url,
      method: request.method,
      headers,
    }, (answer) => {
      if (answer.statusCode === 200) line.loaded.push(pathname);
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    asked.on("error", () => response.destroy());
    request.pipe(asked);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  line.origin = `http://127.0.0.1:${server.address().port}`;
  line.close = () => (server.closeAllConnections(), server.close());
  return line;
}

const line = await startLine();
const errors = [];

async function open(context, opened) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on(
    "console",
    (message) => /Content Security Policy/.test(message.text()) && errors.push(message.text()),
  );
  await page.goto(`${line.origin}/_lectern/play#${opened.replace(edge, "")}`);
  await ready(page);
  return page;
}

const player = (page, selector) => page.locator(`lectern-video ${selector}`);
const panel = (page) => player(page, "[role=dialog]");
const said = (page) => player(page, ".status").textContent();
const picture = (page, name) =>
  SCREENSHOTS && page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
/** Waits for a condition on the video. The page's policy forbids that it evaluates text itself. */
async function until(page, condition) {
  while (!(await page.evaluate(`(${condition})(document.querySelector("video"))`))) {
    await page.waitForTimeout(50);
  }
}
const ready = (page) => until(page, "(video) => video.readyState > 2 && video.duration > 30");
const press = (page, name) => panel(page).getByRole("button", { name, exact: true }).click();
async function openPanel(page) {
  await player(page, ".button.keep").click();
  await panel(page).getByRole("button").nth(1).waitFor();
}
const lectures = (page) =>
  page.evaluate(async () =>
    (await caches.keys()).filter((name) => name.includes("lectern lecture")).length
  );
async function seek(page, second) {
  await page.evaluate((to) => (document.querySelector("video").currentTime = to), second);
  const isThere = `Math.abs(video.currentTime - ${second}) < 2`;
  await until(page, `(video) => !video.seeking && video.readyState > 2 && ${isThere}`);
  return second;
}

async function cut(context, isCut) {
  line.isBroken = () => isCut;
  await context.setOffline(isCut);
}

const seen = await withChromium(async (context) => {
  const seen = {};
  const page = await open(context, link);
  await player(page, ".bar").waitFor();
  await openPanel(page);
  seen.offered = [await said(page), await panel(page).locator("label").count()];
  await picture(page, "keep");

  // The browser runs out of space while the lecture loads.
  const devtools = await context.newCDPSession(page);
  const { origin } = line;
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 200_000 });
  await press(page, "Keep on this device");
  await panel(page).getByText("not enough space").waitFor();
  seen.full = await said(page);
  await picture(page, "keep-full");
  await devtools.send("Storage.overrideQuotaForOrigin", { origin });
  await press(page, "Remove from this device");
  await panel(page).getByRole("button", { name: "Keep on this device" }).waitFor();
  seen.removed = await lectures(page);

  // The line breaks in the middle. What is there is not loaded again.
  let segments = 0;
  line.isBroken = (path) => SEGMENT.test(path) && ++segments > 4;
  line.loaded = [];
  await press(page, "Keep on this device");
  await panel(page).getByText("The connection broke").waitFor();
  await picture(page, "keep-broken");
  line.isBroken = () => false;
  const before = line.loaded.filter((path) => SEGMENT.test(path));
  line.loaded = [];
  await press(page, "Continue");
  await panel(page).getByText("This lecture is on this device").waitFor();
  seen.again = before.filter((path) => line.loaded.includes(path));
  seen.kept = [
    before.length > 0,
    await lectures(page),
    (await said(page)).replace(/[\d.]+ (kB|MB)/, "SIZE").replace(/until .*/, "until TIME"),
  ];
  await picture(page, "kept");
  await page.keyboard.press("Escape");

  // The page that is open plays on, and a reload needs no connection.
  const play = () => page.evaluate(() => document.querySelector("video").play());
  await play();
  await cut(context, true);
  seen.seeks = [await seek(page, 30), await seek(page, 8)];
  await page.reload();
  await ready(page);
  await player(page, ".bar").waitFor();
  await play();
  seen.seeks.push(await seek(page, 35), await seek(page, 3));
  seen.heights = await page.evaluate(() => document.querySelector("video").videoHeight);
  await page.evaluate(() => (document.querySelector("video").playbackRate = 3));
  await until(page, "(video) => video.ended");
  seen.state = await page.locator("lectern-video").getAttribute("state");
  await picture(page, "offline");
  // The device answers for what it keeps, and for nothing else.
  seen.others = await page.evaluate(async () => {
    const ends = (path) => fetch(path).then(({ status }) => status, () => "no connection");
    return [await ends("/courses/other/master.m3u8"), await ends("/_lectern/health")];
  });
  await cut(context, false);
  await page.reload();
  await ready(page);
  await openPanel(page);
  await press(page, "Remove from this device");
  await panel(page).getByRole("button", { name: "Keep on this device" }).waitFor();
  seen.left = await lectures(page);
  await page.close();

  // The time ends while there is no connection.
  const other = await open(context, short);
  await player(other, ".bar").waitFor();
  await openPanel(other);
  await press(other, "Keep on this device");
  await panel(other).getByText("This lecture is on this device").waitFor();
  const end = await other.evaluate(async () => {
    const entries = await (await caches.open("lectern kept")).matchAll();
    const all = await Promise.all(entries.map((entry) => entry.json()));
    return Math.max(...all.map(({ at, seconds }) => at + 1000 * seconds));
  });
  seen.early = await lectures(other);
  await cut(context, true);
  await other.waitForTimeout(Math.max(0, end - Date.now()) + 100);
  await other.reload();
  await player(other, ".card .retry").waitFor();
  seen.over = await other.locator("lectern-video [role=alert]").textContent();
  seen.afterwards = await lectures(other);
  await picture(other, "over");
  // The edge may still open the lecture.
  await cut(context, false);
  await player(other, ".card .retry").click();
  await ready(other);
  seen.online = await lectures(other);
  return seen;
});
console.log(JSON.stringify({ ...seen, errors }));
line.close();
