// Records with fake devices while another browser watches, kills the recorder and goes on.
//   node record.mjs ORIGIN FRAGMENT WATCH
// FRAGMENT is the recorder's: an upload link with `&watch=`. WATCH is the page that plays.
// SCREENSHOTS names a folder for pictures. Prints what was seen as JSON.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { kill, launch, noted, openRecorder, openViewer, record, seen } from "./recorder.mjs";

const [origin, fragment, watch] = process.argv.slice(2);
const { SCREENSHOTS } = process.env;
const errors = [];
const result = { errors };
const folders = ["recorder", "viewer"].map((name) => mkdtemp(`${tmpdir()}/lectern-${name}-`));
const [profile, viewers] = await Promise.all(folders);

/** Rules of axe that the page breaks, at the width of a phone and of a desk. */
async function axe(page, name) {
  const file = new URL("../../node_modules/axe-core/axe.min.js", import.meta.url);
  await page.evaluate(await readFile(file, "utf8"));
  const found = [];
  for (const [width, colorScheme] of [[390, "dark"], [1280, "light"]]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const path = `${SCREENSHOTS}/${name}-${width}.png`;
    if (SCREENSHOTS) await page.screenshot({ path, fullPage: true });
    const broken = await page.evaluate(async () => {
      const { violations } = await window.axe.run({
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        resultTypes: ["violations"],
      });
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
    });
    found.push(...broken.map((rule) => `${name}, ${width}: ${rule}`));
  }
  return found;
}

const time = async (page) => {
  const [minutes, seconds] = (await page.locator("#time").textContent()).split(":").map(Number);
  return 60 * minutes + seconds;
};
/** Waits until so much is recorded. */
async function until(page, seconds) {
  while ((await time(page)) < seconds) await page.waitForTimeout(100);
}

let recorder = await launch(profile);
const watching = await launch(viewers);
try {
  let page = await openRecorder(recorder, origin, fragment, errors);
  await page.locator("#setup").waitFor();
  await page.locator("input[value=camera]").check({ force: true });
  await page
    .locator("#preview")
    .evaluate((video) => {
      return video.readyState > 1 || new Promise((shown) => (video.onloadeddata = shown));
    });
  result.axe = await axe(page, "setup");
  await record(page, "camera", 480);
  result.masterMs = await noted(page, "masterMs");
  const viewer = await openViewer(watching, watch);
  result.playingMs = await seen(viewer, "playing");

  // A pause is no part of the recording.
  await page.locator("#pause").click();
  const paused = await time(page);
  await page.waitForTimeout(2_500);
  result.pausedSeconds = (await time(page)) - paused;
  await page.locator("#pause").click();
  result.axe.push(...(await axe(page, "live")));
  await until(page, 7);
  // Segments that are complete. What the encoder still holds depends on the machine.
  const kept = await page.evaluate(() => Number(document.documentElement.dataset.keptSeconds));
  kill(profile);
  await recorder.close().catch(() => {});

  recorder = await launch(profile);
  page = await openRecorder(recorder, origin, fragment, errors);
  await page.locator("#found").waitFor();
  const found = /(\d+):(\d+)/.exec(await page.locator("#found-text").textContent());
  result.lostSeconds = Math.max(0, Math.floor(kept) - 60 * Number(found[1]) - Number(found[2]));
  result.axe.push(...(await axe(page, "found")));
  await page.locator("#go-on").click();
  await record(page, "camera");
  await until(page, kept + 3);
  await page.locator("#stop").click();
  result.endMs = await noted(page, "endMs");
  await page.locator("#done").waitFor();
  result.copied = (await page.evaluate(() => navigator.clipboard.readText())) === watch;
  result.axe.push(...(await axe(page, "done")));
  await seen(viewer, "ended");
  const watched = await viewer.evaluate(() => {
    const { currentTime, duration, error } = document.querySelector("video");
    return { currentTime, duration, error: error?.message };
  });
  result.watched = { ...watched, isWhole: watched.duration - watched.currentTime < 0.2 };
  result.seconds = watched.duration;

  // The same link again: nothing is replaced without a question.
  await page.close();
  page = await openRecorder(recorder, origin, fragment, errors);
  await record(page, "camera", 480);
  await page.locator('[data-kind="upload"]').waitFor();
  result.again = await page.locator('[data-kind="upload"] p').textContent();
} catch (error) {
  // What the pages showed is the best hint.
  for (const page of [...recorder.pages(), ...watching.pages()]) {
    console.error(await page.evaluate(() => document.body.innerText).catch(String));
  }
  throw error;
} finally {
  await Promise.all([recorder, watching].map((context) => context.close().catch(() => {})));
  const options = { recursive: true, force: true, maxRetries: 5 };
  await Promise.all([profile, viewers].map((folder) => rm(folder, options)));
}
console.log(JSON.stringify(result));
