// Opens links in the player page, in sequence, and prints the result of each.
//   node foreign.mjs ORIGIN FOREIGN LINK…
// FOREIGN is an address of another site, which the page is asked to reach in every other way too.
// Prints one JSON object.
import { withChromium } from "./chromium.mjs";

const [origin, foreign, ...links] = process.argv.slice(2);
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 60_000);

/** In the page: waits for its sentence or for the end of the lecture. */
function settle(limit) {
  const video = document.querySelector("video");
  const alert = document.querySelector("[role=alert]");
  return new Promise((resolve) => {
    const tell = (how) => {
      const captions = [...video.textTracks].filter(({ kind }) => kind === "subtitles");
      const cues = captions.flatMap((track) => [...(track.cues ?? [])].map((cue) => cue.text));
      resolve({
        how,
        said: alert.hidden ? null : alert.textContent,
        currentTime: video.currentTime,
        cues,
      });
    };
    const look = () => {
      for (const track of video.textTracks) track.mode = "showing";
      // On a slow machine, a slow connection's sentence comes before.
      const isRefused = alert.closest("lectern-video").getAttribute("state") === "refused";
      if (!alert.hidden && isRefused) tell("said");
    };
    look();
    video.textTracks.addEventListener("addtrack", look);
    new MutationObserver(look).observe(alert, { attributes: true, childList: true });
    video.addEventListener("ended", () => tell("ended"));
    setTimeout(() => tell("timeout"), limit);
    video.muted = true;
    video.play().catch(() => {});
  });
}

/**
 * In the page: asks another site in the ways that a page has. Each way that its policy stops
 * counts.
 */
async function reach(foreign) {
  const stopped = new Set();
  document.addEventListener(
    "securitypolicyviolation",
    (event) => stopped.add(event.effectiveDirective),
  );
  const load = (element) =>
    new Promise((done) => (element.onerror = element.onload = element.onloadeddata = done));
  const video = document.createElement("video");
  const image = new Image();
  const tried = [
    fetch(foreign).catch(() => {}),
    load(Object.assign(image, { src: `${foreign}/poster.jpg` })),
    load(Object.assign(video, { src: `${foreign}/video.mp4` })),
  ];
  await Promise.all(tried);
  return [...stopped].sort();
}

await withChromium(async (context) => {
  const page = await context.newPage();
  const settled = [];
  for (const link of links) {
    // Not by its fragment alone, which would leave the page that was there.
    await page.goto("about:blank");
    await page.goto(`${origin}/_lectern/play#${link}`);
    settled.push(await page.evaluate(settle, LIMIT_MS));
  }
  await page.goto("about:blank");
  await page.goto(`${origin}/_lectern/play`);
  const stopped = await page.evaluate(reach, foreign);
  console.log(JSON.stringify({ settled, stopped, workers: page.workers().length }));
});
