// Plays a lecture in Chromium through what goes wrong, or moves the element that shows it.
//   node recovery.mjs ORIGIN LINK damage|stall|element|resume
// `damage` breaks the fifth segment of each rung, `stall` holds segments back, `element` handles
// `<lectern-video>` by script, `resume` stops in the lecture, and opens it in an empty browser and
// in a copied tab. Prints what happened as one JSON object.
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

  const parts = {
    async damage() {
      let broken = 0;
      await context.route(/\d+p\/[^/]*0004\.m4s/, async (route) => {
        const response = await route.fetch();
        const body = await response.body();
        const media = body.indexOf("mdat") + 4;
        for (let at = media; at < body.length; at += 1) body[at] = (at * 7919) & 255;
        broken += 1;
        await route.fulfill({ response, body });
      });
      await page.goto(player);
      await play();
      await plays(1);
      await seek(14);
      await plays(21);
      return { broken, ...(await state()) };
    },
    async stall() {
      let isHeld = true;
      // All but the first segments: a player on this machine would load the lecture at once.
      await context.route(/\.m4s/, (route) => {
        const isLate = Number(/(\d+)\.m4s/.exec(route.request().url())[1]) >= 3;
        if (!isLate || !isHeld) return route.continue();
      });
      await page.goto(player);
      await play();
      await plays(1);
      await seek(38);
      await is("slow");
      const slow = await state();
      isHeld = false;
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
