// Chromium without a test library. Playwright and Puppeteer let a page keep the bodies of its
// requests for the inspector, which looks like a leak.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Opens a URL. `use` gets functions that call the DevTools Protocol, and evaluate text. */
export async function withBareChromium(url, use, { width, height }) {
  const profile = await mkdtemp(`${tmpdir()}/lectern-browser-`);
  const browser = spawn(
    process.env.CHROMIUM ?? "/usr/bin/chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--autoplay-policy=no-user-gesture-required",
      `--window-size=${width},${height}`,
      "--remote-debugging-port=0",
      `--user-data-dir=${profile}`,
      url,
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = new Promise((resolve) => browser.once("exit", resolve));
  const kill = () => browser.kill();
  process.once("exit", kill);
  try {
    const call = await connect(await pageOf(await portOf(browser)));
    const evaluate = async (expression) => {
      const { result } = await call("Runtime.evaluate", { expression, returnByValue: true });
      return result.value;
    };
    return await use({ call, evaluate });
  } finally {
    kill();
    await ended;
    process.off("exit", kill);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The port that Chromium prints. */
function portOf(browser) {
  return new Promise((resolve, reject) => {
    let printed = "";
    browser.once("exit", () => reject(new Error(`Chromium ended:\n${printed}`)));
    browser.stderr.on("data", (data) => {
      printed = (printed + data).slice(-10_000);
      const [, port] = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(printed) ?? [];
      if (port) resolve(port);
    });
  });
}

async function pageOf(port) {
  for (;;) {
    const targets = await (await fetch(`http://127.0.0.1:${port}/json`)).json();
    const page = targets.find(({ type }) => type === "page");
    if (page) return page.webSocketDebuggerUrl;
    await sleep(100);
  }
}

/** Returns a function that calls a method of the DevTools Protocol. */
async function connect(url) {
  const socket = new WebSocket(url);
  await new Promise((opened) => socket.addEventListener("open", opened, { once: true }));
  const waiting = new Map();
  socket.addEventListener("message", ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    const answer = waiting.get(id);
    waiting.delete(id);
    if (error) answer?.reject(new Error(error.message));
    else answer?.resolve(result);
  });
  let calls = 0;
  return (method, params = {}) =>
    new Promise((resolve, reject) => {
      waiting.set((calls += 1), { resolve, reject });
      socket.send(JSON.stringify({ id: calls, method, params }));
    });
}
