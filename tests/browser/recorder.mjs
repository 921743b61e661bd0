// The recorder in Chromium with fake devices, as scripts start, kill and reopen it.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { chromium } from "playwright-core";

/** The time that a script waits for what surely comes, in milliseconds. */
export const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 300_000);

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];
const FAKE_DEVICES = [
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--auto-select-desktop-capture-source=Entire screen",
];

/** Starts Chromium with a profile that outlives it. */
export async function launch(profile, { viewport = { width: 1280, height: 800 } } = {}) {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [...ARGUMENTS, ...FAKE_DEVICES],
    permissions: ["camera", "microphone", "clipboard-read", "clipboard-write"],
    viewport,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/** Kills a browser with all its processes, as a power cut does. */
export function kill(profile) {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const isOurs = (pid) => commandLine(pid).includes(`--user-data-dir=${profile}`);
  const [browser] = pids.filter((pid) => isOurs(pid) && !commandLine(pid).includes("--type="));
  if (browser) spawnSync("kill", ["-KILL", browser]);
}

/** Ids of the renderers of a profile's browser. */
export function renderersOf(profile) {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const isRenderer = (line) => line.includes("--type=renderer") && line.includes(profile);
  return pids.filter((pid) => isRenderer(commandLine(pid)));
}

function commandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

/** Opens the recorder with a link, and notes what goes wrong in its page. */
export async function openRecorder(context, origin, fragment, errors) {
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) errors.push(message.text());
  });
  await page.goto(`${origin}/_lectern/record#${fragment}`);
  return page;
}

/** Chooses a source and a size, and presses the button. Returns when the recording runs. */
export async function record(page, source, height) {
  await page.locator("#setup").waitFor();
  await page.locator(`input[value=${source}]`).check({ force: true });
  if (height) await page.locator("#quality").selectOption(String(height));
  await page.locator("#start").click();
  await page.locator("#live").waitFor();
}

/** Waits for a value of the page. Its policy forbids that it evaluates text itself. */
async function value(page, read, name) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const found = await page.evaluate(read, name);
    if (found !== undefined) return Math.round(Number(found));
    await page.waitForTimeout(50);
  }
  throw new Error(`${name} did not come`);
}

/** The milliseconds that the page notes: of the Multivariant Playlist, and of the end. */
export const noted = (page, name) =>
  value(page, (key) => document.documentElement.dataset[key], name);

/** Opens a link in the player page. Its video says when it plays, and when it has ended. */
export async function openViewer(context, link) {
  const page = await context.newPage();
  await page.addInitScript(() => {
    window.seen = {};
    const note = ({ type, target }) => {
      if (target instanceof HTMLVideoElement) window.seen[type] ??= performance.now();
    };
    for (const type of ["playing", "ended"]) document.addEventListener(type, note, true);
  });
  await page.goto(link);
  // A viewer presses the button as soon as it is there.
  await page.locator("lectern-video .start").click();
  return page;
}

/** The milliseconds from the navigation to an event of the player. */
export const seen = (page, type) => value(page, (name) => window.seen[name], type);
