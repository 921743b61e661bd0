// Watches a lecture on the player page in Chromium.
//   node watched.mjs ORIGIN LINK through|seek|leave|resume
// `through` plays to the end at double speed; `seek` plays a little, seeks near the end and plays
// to it; `leave` plays for a while and closes the page; `resume` opens the page and plays a little.
// Prints what happened as one JSON object.
import { SMALL_WINDOW, withChromium } from "./chromium.mjs";

const [origin, link, how] = process.argv.slice(2);
await withChromium(async (context) => {
  const page = await context.newPage();
  const reports = [];
  const refused = [];
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (!url.protocol.startsWith("http")) return;
    if (url.pathname === "/_lectern/watched" && response.request().method() === "POST") {
      reports.push({
        status: response.status(),
        ...JSON.parse(response.request().postData() ?? "{}"),
      });
    } else if (response.status() >= 400) {
      refused.push({ path: url.pathname, status: response.status() });
    }
  });
  await page.goto(`${origin}/_lectern/play#${link.replace(origin, "")}`);
  const video = page.locator("video");
  await video.evaluate((video) => {
    window.opened = performance.now();
    video.muted = true;
    window.ended = new Promise((resolve) => video.addEventListener("ended", resolve));
    return video.play();
  });
  const until = (condition, argument) => page.waitForFunction(condition, argument, { timeout: 0 });
  const reported = async (condition) => {
    while (!reports.some((report) => report.status === 200 && condition(report))) {
      await page.waitForTimeout(50);
    }
  };
  let began;
  if (how === "through") {
    await video.evaluate((video) => (video.playbackRate = 2));
    await page.evaluate(() => window.ended);
    await reported(({ final }) => final);
  } else if (how === "seek") {
    await until(() => document.querySelector("video").currentTime > 2);
    await video.evaluate((video) => (video.currentTime = video.duration - 3));
    await page.evaluate(() => window.ended);
    await reported(({ final }) => final);
  } else if (how === "leave") {
    await until(() => document.querySelector("video").currentTime > 20);
  } else {
    await until(() => document.querySelector("video").currentTime > 12);
    began = await video.evaluate((video) => video.played.start(video.played.length - 1));
  }
  const state = await video.evaluate((video) => ({
    currentTime: video.currentTime,
    duration: video.duration,
    ended: video.ended,
  }));
  await page.close({ runBeforeUnload: false });
  console.log(JSON.stringify({ ...state, began, reports, refused }));
}, SMALL_WINDOW);
