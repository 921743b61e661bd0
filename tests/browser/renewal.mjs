// Opens the player page with a link whose passes are short, in Chromium: plays, pauses, seeks far, and plays to the end.
//   node renewal.mjs ORIGIN LINK PAUSE_SECONDS SEEK_TO
// Prints what happened as one JSON object.
import { withChromium } from "./chromium.mjs";

const [origin, link, pause, to] = process.argv.slice(2);
await withChromium(async (context) => {
  const page = await context.newPage();
  const requests = [];
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (url.protocol.startsWith("http")) requests.push({ path: url.pathname, status: response.status() });
  });
  await page.goto(`${origin}/_lectern/play#${link.replace(origin, "")}`);
  // Slow enough that the player does not load the whole lecture at once.
  const line = await context.newCDPSession(page);
  await line.send("Network.enable");
  await line.send("Network.emulateNetworkConditions", { offline: false, latency: 20, downloadThroughput: 60_000, uploadThroughput: 60_000 });
  const video = page.locator("video");
  await video.evaluate((video) => {
    video.muted = true;
    window.ended = new Promise((resolve) => video.addEventListener("ended", resolve));
    return video.play();
  });
  // The page says in words why it does not go on.
  const said = page.waitForSelector("[role=alert]:not([hidden])", { timeout: 0 }).then((alert) => alert.textContent());
  said.catch(() => {});
  const steps = async () => {
    await page.waitForFunction(() => document.querySelector("video").currentTime > 4, undefined, { timeout: 0 });
    await video.evaluate((video) => video.pause());
    await page.waitForTimeout(Number(pause) * 1000);
    await video.evaluate((video, to) => {
      video.currentTime = to;
      return video.play();
    }, Number(to));
    await page.evaluate(() => window.ended);
    return null;
  };
  const sentence = await Promise.race([said, steps()]);
  const state = await video.evaluate((video) => ({ ended: video.ended, currentTime: video.currentTime, duration: video.duration }));
  const media = requests.filter(({ path }) => !path.startsWith("/_lectern/"));
  const segments = media.map(({ path }) => path).filter((path) => path.endsWith(".m4s"));
  console.log(
    JSON.stringify({
      ...state,
      said: sentence,
      refused: media.filter(({ status }) => status >= 300),
      twice: segments.filter((path, at) => segments.indexOf(path) !== at),
      steered: requests.filter(({ path }) => path.startsWith("/_lectern/steering/")).length,
      openings: media.filter(({ path }) => path.endsWith("master.m3u8")).length,
    }),
  );
});
