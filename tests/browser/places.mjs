// Opens more players than a viewer has places, in Chromium: some are reloaded, killed or lose the
// network.
//   node places.mjs newest|oldest ORIGIN LINK
// LINK has two places under the policy. Prints what each player shows as one JSON object.
import { SMALL_WINDOW, withChromium } from "./chromium.mjs";
import { browsers } from "./processes.mjs";

const [policy, origin, link] = process.argv.slice(2);
const seconds = (count) => new Promise((resolve) => setTimeout(resolve, count * 1000));

/** Opens a player in a tab of its own, which keeps its session. */
async function open(context) {
  const page = await context.newPage();
  const line = await context.newCDPSession(page);
  await line.send("Network.enable");
  const network = (offline) =>
    line.send("Network.emulateNetworkConditions", {
      offline,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    });
  await page.goto(`${origin}/_lectern/play#${link.replace(origin, "")}`);
  return { page, network };
}

/** Waits until a player goes on from where it is, or says why not. */
function settle({ page }) {
  return page.evaluate(() => {
    const video = document.querySelector("video");
    const alert = document.querySelector("[role=alert]");
    const isRefused = () =>
      document.querySelector("lectern-video").getAttribute("state") === "refused";
    // Slower, so that the lecture does not end before the test.
    video.defaultPlaybackRate = video.playbackRate = 0.5;
    video.muted = true;
    return new Promise((resolve) => {
      const began = video.currentTime;
      const look = setInterval(() => {
        if (!isRefused() && video.paused) video.play().catch(() => {});
        if (!isRefused() && video.currentTime < began + 1) return;
        clearInterval(look);
        resolve(isRefused() ? alert.textContent : "plays");
      }, 50);
    });
  });
}

/** Waits until a player stops, and returns its sentence. */
const stops = async ({ page }) => {
  await page.waitForFunction(
    () => document.querySelector("lectern-video").getAttribute("state") === "refused",
    undefined,
    { timeout: 0 },
  );
  return page.evaluate(() => document.querySelector("[role=alert]").textContent);
};

/** The newest player takes the place of one that has crashed, else of the oldest. */
async function newest(context) {
  const seen = {};
  const first = await open(context);
  seen.first = await settle(first);
  await seconds(1.1);
  const second = await open(context);
  seen.second = await settle(second);
  await seconds(1.1);
  const others = browsers();
  await withChromium(async (context) => {
    const third = await open(context);
    seen.third = await settle(third);
    seen["first, when the third plays"] = await stops(first);
    await second.page.reload();
    seen["second, reloaded"] = await settle(second);
    seen["third, after the reload"] = await settle(third);
    for (const pid of browsers().filter((pid) => !others.includes(pid))) {
      process.kill(pid, "SIGKILL");
    }
  }, SMALL_WINDOW);
  // The second says that it is there; the third does not.
  await seconds(50);
  const fourth = await open(context);
  seen.fourth = await settle(fourth);
  await seconds(40);
  seen["second, after the crash of the third"] = await settle(second);
  return seen;
}

/** New players are refused while both places are taken. */
async function oldest(context) {
  const seen = {};
  const first = await open(context);
  seen.first = await settle(first);
  const second = await open(context);
  seen.second = await settle(second);
  seen.third = await settle(await open(context));
  await second.network(true);
  await seconds(75);
  seen["fourth, while the second is offline"] = await settle(await open(context));
  await seconds(5);
  await second.network(false);
  seen["second, after 80 seconds offline"] = await settle(second);
  // Its next request says that it is there.
  await seconds(35);
  await second.network(true);
  await seconds(98);
  const fifth = await open(context);
  seen["fifth, after 98 seconds"] = await settle(fifth);
  await seconds(2);
  await second.network(false);
  seen["second, after 100 seconds offline"] = await stops(second);
  seen["first, at the end"] = await settle(first);
  return seen;
}

await withChromium(async (context) => {
  console.log(JSON.stringify(await { newest, oldest }[policy](context)));
}, SMALL_WINDOW);
