// The player page in Chromium, for scripts that use it as a viewer does:
//   node SCRIPT PART ORIGIN LINK [OTHER]
// LINK opens a lecture of 40 seconds with chapters at 0 and 20 seconds, captions in English and
// German, two audio tracks, and rungs of 480 and 720 lines. SCREENSHOTS names a folder for
// pictures, PLAY_LIMIT_MS bounds each wait. A script prints what was seen as JSON.
import { withChromium } from "./chromium.mjs";

export const [part, origin, link, other] = process.argv.slice(2);
const { SCREENSHOTS } = process.env;
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 300_000);

/** Opens the player page in a new tab, and collects errors. */
export async function open(context, opened = link, query = "") {
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on(
    "console",
    (message) => /Content Security Policy/.test(message.text()) && errors.push(message.text()),
  );
  await page.goto(`${origin}/_lectern/play${query}#${opened.replace(origin, "")}`);
  return { page, errors };
}

export const see = (page) =>
  page.evaluate(() => {
    const {
      currentTime,
      paused,
      playbackRate,
      volume,
      muted,
      videoHeight,
      readyState,
      seeking,
      buffered,
    } = document.querySelector("video");
    const ranges = Array.from(
      { length: buffered.length },
      (_, at) => [buffered.start(at), buffered.end(at)],
    );
    return {
      currentTime,
      paused,
      playbackRate,
      volume,
      muted,
      videoHeight,
      readyState,
      seeking,
      ranges,
      state: document.querySelector("lectern-video").getAttribute("state"),
    };
  });

/**
 * Waits until a condition on the video holds. The page's policy forbids that it evaluates text
 * itself.
 */
export async function until(page, condition, argument) {
  const began = Date.now();
  while (
    !(await page.evaluate(
      `(${condition})(document.querySelector("video"), ${JSON.stringify(argument)})`,
    ).catch(() => false))
  ) {
    if (Date.now() - began > LIMIT_MS) {
      throw new Error(`${condition} with ${argument}: ${JSON.stringify(await see(page))}`);
    }
    await page.waitForTimeout(50);
  }
}
export const ready = (page) =>
  until(page, "(video) => video.readyState > 2 && video.duration > 30");
export const controls = (page) => page.locator("lectern-video .bar").waitFor();
export const text = (page, selector) =>
  page.locator(`lectern-video ${selector}`).first().textContent();
export const named = (page, name) => page.locator(`lectern-video .button.${name}`);
export const focused = (page) =>
  page.evaluate(() => document.querySelector("lectern-video").shadowRoot.activeElement?.className);
export const notice = (page, hasText) =>
  page.locator("lectern-video .notice", { hasText }).waitFor();
export const picture = (page, name) =>
  SCREENSHOTS && page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });

/** Runs the part that the command line names. */
export function runPart(parts) {
  return withChromium(async (context) => {
    context.setDefaultTimeout(LIMIT_MS);
    console.log(JSON.stringify(await parts[part](context)));
  });
}
