// Chromium as the tests start it, with a profile of its own that is gone afterwards.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { chromium } from "playwright-core";

/**
 * The time that a script waits for what surely comes. It ends a script that hangs, and judges no
 * machine.
 */
const PATIENCE_MS = 900_000;

/** Prints the address and the player of each page. */
async function describe(context) {
  for (const page of context.pages()) {
    const player = page.evaluate(() => {
      const { currentTime, paused, ended, readyState, networkState } =
        document.querySelector("video") ?? {};
      const state = document.querySelector("lectern-video")?.getAttribute("state");
      return { state, currentTime, paused, ended, readyState, networkState };
    });
    const late = new Promise((resolve) => setTimeout(resolve, 5_000, "no answer"));
    console.error(page.url().split("token=")[0], await Promise.race([player.catch(String), late]));
  }
}

/** A window in which a picture costs little to draw, for scripts that play for minutes. */
export const SMALL_WINDOW = { width: 480, height: 270 };

/** Options for a camera and a microphone that are always there, and allowed. */
export const FAKE_DEVICES = [
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

/** Starts Chromium with a profile, which a later one may open again. */
export function launch(profile, viewport, options = []) {
  return chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--autoplay-policy=no-user-gesture-required",
      ...options,
    ],
    viewport,
  });
}

export async function withChromium(
  use,
  viewport = { width: 1280, height: 720 },
  patienceMs = PATIENCE_MS,
  options = [],
) {
  const profile = await mkdtemp(`${tmpdir()}/lectern-browser-`);
  const context = await launch(profile, viewport, options);
  const hang = setTimeout(async () => {
    console.error(`nothing came for ${patienceMs / 1_000} seconds`);
    await describe(context);
    process.exit(1);
  }, patienceMs);
  try {
    return await use(context);
  } finally {
    clearTimeout(hang);
    // A script may have killed its browser.
    await context.close().catch(() => {});
    await rm(profile, { recursive: true, force: true });
  }
}
