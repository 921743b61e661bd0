// Plays a lecture in Chromium through what goes wrong, or moves the element that shows it.
//   node recovery.mjs ORIGIN LINK PART
// PART is one of these:
// - `damage` breaks the fifth segment of each rung, `last` the last one.
// - `stall` holds segments back, `offline` cuts the connection.
// - `seeks` seeks before the lecture has loaded and at its end.
// - `element` handles `<lectern-video>` by script.
// - `resume` stops in the lecture, and opens it in an empty browser and in a copied tab.
// - `low` turns the switch for low data on and off.
// - `codecs` lists a codec that Chromium lacks.
// - `expired` opens LINK, which has expired, in a page without the edge's script.
// Prints what happened as one JSON object.
import { createServer } from "node:http";
import { withChromium } from "./chromium.mjs";

const [origin, link, what] = process.argv.slice(2);
const src = link.replace(origin, "");
const player = `${origin}/_lectern/play#${src}`;

await withChromium(async (context) => {
  const page = await context.newPage();
  const requests = [];
  page.on("response", (response) => {
    const { pathname, searchParams } = new URL(response.url());
    const session = searchParams.has("session") ? " with its session" : "";
    requests.push(`${response.request().method()} ${pathname}${session}`);
  });
  const until = (condition, argument) => page.waitForFunction(condition, argument, { timeout: 0 });
  const state = () =>
    page.evaluate(() => {
      const { currentTime, paused, poster } = document.querySelector("video");
      const element = document.querySelector("lectern-video");
      const isWide = element.shadowRoot.querySelector(".card")?.offsetHeight > 200;
      const alert = element.textContent.trim();
      const state = element.getAttribute("state");
      return { at: currentTime, paused, poster, state, isWide, alert };
    });
  const play = () => page.evaluate(() => document.querySelector("video").play());
  const plays = (second) =>
    until((second) => {
      const { currentTime, paused } = document.querySelector("video");
      return currentTime > second && !paused;
    }, second);
  const seek = (second) =>
    page.evaluate((second) => (document.querySelector("video").currentTime = second), second);
  const hasLoaded = () => until(() => document.querySelector("video")?.readyState > 1);
  const is = (state) => page.locator(`lectern-video[state=${state}]`).waitFor({ timeout: 0 });
  const opened = () => requests.filter((request) => /master\.m3u8|watched/.test(request));

  /** Holds files back from a segment on, or all files. */
  const held = async (names, from) => {
    const line = { isHeld: true, waiting: [] };
    await context.route(names, (route) => {
      const number = Number(/(\d+)\.m4s/.exec(route.request().url())?.[1] ?? 0);
      if (number < from || !line.isHeld) return route.continue();
      line.waiting.push(route);
    });
    return line;
  };
  /** Breaks the media data of segments. Returns how often each was loaded. */
  const breakSegments = async (names) => {
    const broken = {};
    await context.route(names, async (route) => {
      const response = await route.fetch();
      const body = await response.body();
      const media = body.indexOf("mdat") + 4;
      for (let at = media; at < body.length; at += 1) body[at] = (at * 7919) & 255;
      const { pathname } = new URL(route.request().url());
      broken[pathname] = (broken[pathname] ?? 0) + 1;
      await route.fulfill({ response, body });
    });
    return broken;
  };
  /** Collects the seconds that play, and what the player says, from now on. */
  const collect = () =>
    page.evaluate(() => {
      window.seen = { seconds: [], notices: [], events: [] };
      const element = document.querySelector("lectern-video");
      const notice = element.shadowRoot.querySelector(".notice");
      new MutationObserver(() => seen.notices.push(notice.textContent)).observe(notice, {
        childList: true,
      });
      element.video.addEventListener("timeupdate", () => {
        const { currentTime, paused } = element.video;
        if (!paused) seen.seconds.push(currentTime);
      });
      for (const type of ["ended", "error"]) {
        element.addEventListener(`lectern:${type}`, () => seen.events.push(type));
      }
    });
  const seen = () => page.evaluate(() => window.seen);

  const parts = {
    async damage() {
      const broken = await breakSegments(/\d+p\/[^/]*0004\.m4s/);
      await page.goto(player);
      await play();
      await plays(1);
      await collect();
      await seek(14);
      await plays(21);
      const { seconds, notices } = await seen();
      const after = seconds.filter((second) => second > 14);
      const steps = after.map((second, at) => second - (after[at - 1] ?? second));
      const skipped = notices.filter((text) => /skipped/i.test(text)).length;
      return { broken, skipped, longest: Math.max(...steps), ...(await state()) };
    },
    async last() {
      const broken = await breakSegments(/\d+p\/[^/]*0009\.m4s/);
      await page.goto(player);
      await play();
      await plays(1);
      await collect();
      await seek(34);
      await is("ended");
      const ended = { ...(await state()), ...(await seen()) };
      await page.keyboard.press("k");
      await plays(0.5);
      return { broken, ended, again: await state() };
    },
    async offline() {
      const segments = await held(/\.m4s/, 5);
      await page.goto(player);
      await play();
      await plays(1);
      const buffered = () =>
        page.evaluate(() => {
          const { buffered } = document.querySelector("video");
          return buffered.length > 0 && buffered.end(buffered.length - 1);
        });
      // All that is not held back: five segments.
      await until(() => document.querySelector("video").buffered.end(0) > 19.5);
      await page.locator("lectern-video .bar").waitFor();
      await page.keyboard.press("n");
      await page.locator("lectern-video textarea").waitFor();
      await context.setOffline(true);
      await is("offline");
      const before = await buffered();
      await page.evaluate(() => {
        const { choices } = document.querySelector("lectern-video").engine;
        choices.quality = choices.qualities().find(({ id }) => id !== choices.quality).id;
      });
      await seek(14);
      await plays(15);
      const kept = { before, after: await buffered() };
      await page.keyboard.type("half a ");
      // What is loaded ends, and the player waits.
      await page.locator("lectern-video[waiting]").waitFor({ timeout: 0 });
      await page.keyboard.type("word");
      const note = await page.locator("lectern-video textarea").inputValue();
      const offline = await state();
      segments.isHeld = false;
      await context.setOffline(false);
      await plays(21);
      return { kept, note, offline, after: await state() };
    },
    async seeks() {
      const playlists = await held(/\/v\.m3u8|\d+p[^/]*\.m3u8/, -1);
      await page.goto(player);
      await until(() => document.querySelector("lectern-video")?.engine);
      await page.evaluate(() => {
        const element = document.querySelector("lectern-video");
        for (const second of [NaN, -Infinity, 25]) element.seek(second);
      });
      playlists.isHeld = false;
      for (const route of playlists.waiting) await route.continue();
      await hasLoaded();
      const early = await state();
      await play();
      await plays(25.5);
      await page.keyboard.press("End");
      await is("ended");
      await page.keyboard.press("5");
      await is("paused");
      const after = await state();
      await page.keyboard.press("p");
      await until(() => document.pictureInPictureElement);
      await page.evaluate(() =>
        document.querySelector("lectern-video").refuse({ code: "revoked" })
      );
      await until(() => !document.pictureInPictureElement);
      return { early, after, refused: await state() };
    },
    async expired() {
      const server = createServer((_request, response) => {
        response.setHeader("content-type", "text/html");
        response.end(
          `<!doctype html><title>A course</title><iframe src="${
            player.replace("#", "?t=20#")
          }"></iframe>`,
        );
      });
      await new Promise((listening) => server.listen(0, "localhost", listening));
      await context.addInitScript(() => {
        window.said = [];
        addEventListener("lectern:error", ({ detail }) => (window.error = detail));
        new MutationObserver(() => {
          const text = document.querySelector("[role=alert]")?.textContent;
          // The card of a slow connection depends on the machine.
          const isSlow = document.querySelector("lectern-video[state=slow]");
          if (text && !isSlow && text !== said.at(-1)) said.push(text);
        }).observe(document, { subtree: true, childList: true, characterData: true });
      });
      await page.goto(`http://localhost:${server.address().port}`);
      const frame = page.frameLocator("iframe");
      await frame.locator("lectern-video[state=refused]").waitFor({ timeout: 0 });
      const advice = await frame.locator(".card .advice").textContent();
      const { said, error } = await frame
        .locator("body")
        .evaluate(() => ({ said: window.said, error: window.error }));
      server.close();
      server.closeAllConnections();
      return { said, advice, error };
    },
    async low() {
      await page.goto(player);
      await hasLoaded();
      const set = (isOn) =>
        page.evaluate(
          (isOn) => (document.querySelector("lectern-video").engine.choices.lowData = isOn),
          isOn,
        );
      await set(true);
      await page.reload();
      // Answers for the page before have come.
      requests.length = 0;
      await hasLoaded();
      await page.evaluate(() => {
        const { video } = document.querySelector("lectern-video");
        window.ahead = [];
        video.addEventListener("timeupdate", () => {
          const { buffered, currentTime } = video;
          ahead.push(buffered.end(buffered.length - 1) - currentTime);
        });
      });
      await play();
      await plays(6);
      const ahead = await page.evaluate(() => Math.max(...window.ahead));
      const rungs = () => [...new Set(requests.flatMap((it) => /(\d+p)\/seg/.exec(it)?.[1] ?? []))];
      const saved = { ahead, rungs: rungs() };
      await set(false);
      await until(() => document.querySelector("video").videoHeight === 720);
      return { saved, rungs: rungs() };
    },
    async codecs() {
      await context.route(/master\.m3u8/, async (route) => {
        const response = await route.fetch();
        const body = (await response.text()).replace(/avc1\.\w+/g, "hvc1.1.6.L93.B0");
        await route.fulfill({ response, body });
      });
      await page.goto(player);
      await is("refused");
      const retries = await page.locator("lectern-video .retry:visible").count();
      return { ...(await state()), retries };
    },
    async stall() {
      // All but the first segments: a player on this machine would load the lecture at once.
      const segments = await held(/\.m4s/, 3);
      await page.goto(player);
      await play();
      await plays(1);
      await seek(38);
      await is("slow");
      const slow = await state();
      segments.isHeld = false;
      await page.locator("lectern-video .retry").click();
      await plays(38.2);
      return { slow, after: await state() };
    },
    async element() {
      await page.goto(`${origin}/_lectern/play`);
      await page.evaluate((src) => {
        const element = document.createElement("lectern-video");
        element.setAttribute("poster", "/own.jpg");
        document.body.replaceChildren(element);
        element.setAttribute("src", src);
        element.setAttribute("start", "12");
      }, src);
      await hasLoaded();
      const started = await state();
      await play();
      await plays(12.5);
      requests.length = 0;
      await page.evaluate(() => {
        const section = document.createElement("section");
        document.body.append(section);
        section.append(document.querySelector("lectern-video"));
      });
      await plays(13);
      const moved = { ...(await state()), opened: opened() };
      const left = await page.evaluate(async () => {
        window.element = document.querySelector("lectern-video");
        const { currentTime } = element.video;
        element.remove();
        await new Promise((gone) => setTimeout(gone));
        return { at: currentTime, source: element.video.src, engine: element.engine === undefined };
      });
      await page.evaluate(() => document.body.append(element));
      await hasLoaded();
      const back = await state();
      const other = src.replace("master", "other");
      await page.evaluate((src) => element.setAttribute("src", src), other);
      await is("refused");
      const second = { ...(await state()), extras: await page.evaluate(() => element.extras) };
      await page.evaluate(() => element.removeAttribute("src"));
      await until(() => /needs a link/.test(document.querySelector("lectern-video").textContent));
      return { started, moved, left, back, second, removed: await state() };
    },
    async resume() {
      await page.goto(player);
      await play();
      await seek(20);
      await plays(26);
      await page.evaluate(() => document.querySelector("video").pause());
      await page.waitForResponse((response) => response.url().includes("/_lectern/watched"));
      const first = opened();
      await page.evaluate(() => localStorage.clear());
      requests.length = 0;
      await page.reload();
      await hasLoaded();
      const resumed = { ...(await state()), opened: opened() };
      const copied = await page.evaluate(() => ({ ...sessionStorage }));
      const tab = await context.newPage();
      await tab.addInitScript((copied) => {
        for (const [name, value] of Object.entries(copied)) sessionStorage[name] ??= value;
      }, copied);
      await tab.goto(player);
      const hasPicture = () => document.querySelector("video")?.readyState > 1;
      await tab.waitForFunction(hasPicture, undefined, { timeout: 0 });
      const copy = await tab.evaluate(() => ({ ...sessionStorage }));
      const sharesSession = JSON.stringify(copy) === JSON.stringify(copied);
      return { first, resumed, sharesSession, sessions: Object.keys(copied).length };
    },
  };
  console.log(JSON.stringify(await parts[what]()));
});
