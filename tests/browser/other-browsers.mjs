// Uses the player page in another browser than Chromium, with keys and clicks, and plays a lecture
// to its end.
//   node other-browsers.mjs firefox|webkit|webkit-native ORIGIN LINK EXPIRED
// LINK opens a lecture of 14 seconds with captions and two rungs. EXPIRED is a link to it that has
// ended. `webkit-native` plays by the browser alone, as an iPhone does, on a page of another site.
// SCREENSHOTS names a folder for pictures. Prints what was seen as JSON.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { withFirefox } from "./firefox.mjs";
import { withWebKit } from "./webkit.mjs";

const [name, origin, link, expired] = process.argv.slice(2);
const { SCREENSHOTS } = process.env;
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 60_000);

/** The player in a browser. Conditions and values are JavaScript with `player`, `video`, `root`. */
class Page {
  constructor(browser) {
    this.browser = browser;
  }

  async open(opened) {
    // A page that differs in its fragment only would not load again.
    await this.browser.open("about:blank");
    await this.browser.open(`${origin}/_lectern/play#${opened.replace(origin, "")}`);
  }

  async value(text) {
    const script = `(() => {
      const player = document.querySelector("lectern-video");
      const { video, shadowRoot: root } = player;
      return JSON.stringify(${text});
    })()`;
    return JSON.parse(await this.browser.evaluate(script));
  }

  async until(condition) {
    const began = Date.now();
    while (!(await this.value(`Boolean(${condition})`).catch(() => false))) {
      if (Date.now() - began > LIMIT_MS) throw new Error(`${condition}: ${await this.state()}`);
      await sleep(50);
    }
  }

  async state() {
    const seen = `{
      state: player.getAttribute("state"),
      at: video.currentTime,
      paused: video.paused,
      readyState: video.readyState,
      error: video.error?.message,
      said: player.querySelector("[role=alert]")?.textContent,
    }`;
    return JSON.stringify(await this.value(seen).catch(String));
  }

  async press(key, condition) {
    await this.browser.press(key);
    await this.until(condition);
  }

  async click(selector) {
    const box = `root.querySelector(${JSON.stringify(selector)}).getBoundingClientRect()`;
    const { x, y, width, height } = await this.value(box);
    await this.browser.click(Math.round(x + width / 2), Math.round(y + height / 2));
  }

  async picture(of) {
    if (SCREENSHOTS) await this.browser.screenshot(`${SCREENSHOTS}/${name}-${of}.png`);
  }
}

async function use(browser) {
  const seen = {};
  const page = new Page(browser);
  const near = (second) => `!video.seeking && Math.abs(video.currentTime - ${second}) < 0.5`;
  await page.open(link);
  await page.until("video.readyState > 2 && Math.abs(video.duration - 14) < 0.5");
  await page.until("root.querySelector('.bar')");
  seen.source = await page.value("video.currentSrc.split(':')[0]");

  // Keys count from the start, without a click.
  await page.press("k", "!video.paused && video.currentTime > 0.5");
  await page.press(" ", "video.paused");
  await page.press("5", near(7));
  await page.press("ArrowRight", near(12));
  await page.press("ArrowLeft", near(7));
  await page.press("Home", near(0));
  await page.press("m", "video.muted");
  await page.press(">", "video.playbackRate === 1.25");
  await page.press("<", "video.playbackRate === 1");
  await page.press("c", "root.querySelector('.button.captions').ariaPressed === 'true'");
  await page.press("2", "root.querySelector('.cues p')?.textContent === 'First half.'");
  await page.press("9", "root.querySelector('.cues p')?.textContent === 'Second half.'");
  await page.picture("captions");

  await page.click(".button.settings");
  await page.until("root.querySelector('[role=dialog] legend')");
  const texts = (elements) =>
    page.value(`[...${elements}].map(({ textContent }) => textContent.trim())`);
  const groups = "root.querySelectorAll('[role=dialog] fieldset')";
  seen.groups = (await texts("root.querySelectorAll('[role=dialog] legend')")).slice(0, 3);
  const qualities = await texts(`${groups}[0].querySelectorAll("label")`);
  // The network decides which rung plays.
  seen.qualities = qualities.map((quality) => quality.replace(/ \(.*/, ""));
  await page.picture("settings");
  await page.press("Escape", "!root.querySelector('[role=dialog]')");

  // A click in the middle of the timeline.
  await page.click("lectern-time-range");
  await page.until("!video.seeking && Math.abs(video.currentTime - 7) < 1");
  await page.press(" ", "!video.paused && video.currentTime > 8");
  await page.until("player.getAttribute('state') === 'ended'");
  seen.ended = await page.value("Math.round(video.currentTime)");

  await page.open(expired);
  await page.until("root.querySelector('.card')?.checkVisibility()");
  seen.expired = await page.value("document.querySelector('[role=alert]').textContent");
  await page.picture("expired");
  return seen;
}

/** A page of a school, in a browser without Media Source Extensions. */
const schoolPage = (source) => `<!doctype html><html lang=en><title>A course</title>
  <script>for (const name of ["MediaSource", "ManagedMediaSource"]) delete window[name];</script>
  <script type=module src="${origin}/_lectern/element.js"></script>
  <lectern-video src="${source.replaceAll("&", "&amp;")}"></lectern-video>`;

async function useNative(browser) {
  const seen = {};
  const page = new Page(browser);
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(schoolPage(request.url === "/expired" ? expired : link));
  });
  await new Promise((listening) => server.listen(0, "localhost", listening));
  const school = `http://localhost:${server.address().port}`;
  try {
    await browser.open(`${school}/`);
    await page.until("video.readyState > 2 && Math.abs(video.duration - 14) < 0.5");
    await page.until("root.querySelector('.bar')");
    seen.source = await page.value("video.currentSrc.split(':')[0]");
    await page.click(".start");
    await page.until("!video.paused && video.currentTime > 1");
    await page.picture("playing");
    // The click left the focus in the player, so keys count.
    await page.press("8", "!video.seeking && video.currentTime > 11");
    await page.until("player.getAttribute('state') === 'ended'");
    seen.ended = await page.value("Math.round(video.currentTime)");
    await browser.open(`${school}/expired`);
    await page.until("root.querySelector('.card')?.checkVisibility()");
    seen.expired = await page.value("player.querySelector('[role=alert]').textContent");
    await page.picture("expired");
  } finally {
    server.close();
    server.closeAllConnections();
  }
  return seen;
}

const size = { width: 1280, height: 720 };
const uses = {
  firefox: () => withFirefox(use, size),
  webkit: () => withWebKit(use, size),
  "webkit-native": () => withWebKit(useNative, size),
};
console.log(JSON.stringify(await uses[name]()));
