// WebKitGTK's MiniBrowser, driven over WebDriver, on a display of its own.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Folders of MiniBrowser, which Debian names after the machine. */
const MINI_BROWSERS = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(
  (machine) => `/usr/lib/${machine}/webkit2gtk-4.1/MiniBrowser`,
);
/** Characters of keys without a character, https://www.w3.org/TR/webdriver2/#keyboard-actions. */
const KEYS = {
  Tab: "\uE004",
  Enter: "\uE007",
  Escape: "\uE00C",
  End: "\uE010",
  Home: "\uE011",
  ArrowLeft: "\uE012",
  ArrowUp: "\uE013",
  ArrowRight: "\uE014",
  ArrowDown: "\uE015",
};
/** The time that the driver gets to start. */
const START_MS = 60_000;

export async function withWebKit(use, { width, height }) {
  const binary = process.env.WEBKIT ?? MINI_BROWSERS.find(existsSync);
  const display = await startDisplay(width, height);
  const port = await freePort();
  const env = {
    ...process.env,
    DISPLAY: display.name,
    GDK_BACKEND: "x11",
    // WebKitGTK plays HLS itself only if this allows it.
    WEBKIT_GST_ENABLE_HLS_SUPPORT: "1",
  };
  const driver = start(["WebKitWebDriver", `--port=${port}`, "--host=127.0.0.1"], env);
  let session;
  try {
    await listens(port);
    const browserOptions = { binary, args: ["--automation"] };
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": browserOptions } };
    const server = `http://127.0.0.1:${port}/session`;
    const { sessionId } = await send("POST", server, { capabilities });
    session = `${server}/${sessionId}`;
    const post = (command, body) => send("POST", `${session}/${command}`, body);
    const act = (type, actions, more = {}) =>
      post("actions", { actions: [{ type, id: type, actions, ...more }] });
    await fitWindow(post, width, height);
    return await use({
      open: (url) => post("url", { url }),
      evaluate: (text) => post("execute/sync", { script: `return ${text}`, args: [] }),
      press: (key) =>
        act("key", ["keyDown", "keyUp"].map((type) => ({ type, value: KEYS[key] ?? key }))),
      click: (x, y) => {
        const move = { type: "pointerMove", x, y, duration: 0 };
        const [down, up] = ["pointerDown", "pointerUp"].map((type) => ({ type, button: 0 }));
        return act("pointer", [move, down, up], { parameters: { pointerType: "mouse" } });
      },
      screenshot: async (path) =>
        writeFile(path, Buffer.from(await send("GET", `${session}/screenshot`), "base64")),
    });
  } finally {
    if (session) await send("DELETE", session).catch(() => {});
    driver.stdin.end();
    display.server.stdin.end();
  }
}

/** Makes the page this large. The window has a toolbar. */
async function fitWindow(post, width, height) {
  const size = "[outerWidth - innerWidth, outerHeight - innerHeight]";
  const [beside, above] = await post("execute/sync", { script: `return ${size}`, args: [] });
  await post("window/rect", { x: 0, y: 0, width: width + beside, height: height + above });
}

/** Starts a program that ends when its standard input closes, so it ends with this process. */
function start(command, env) {
  const supervise = '"$@" </dev/null & cat >/dev/null 3>&-; kill $!';
  const stdio = ["pipe", "ignore", "inherit", "pipe"];
  return spawn("sh", ["-c", supervise, "sh", ...command], { stdio, env });
}

/** Starts an X server on a free display, whose number it writes to descriptor 3. */
async function startDisplay(width, height) {
  const screen = `${width + 200}x${height + 200}x24`;
  const server = start(["Xvfb", "-displayfd", "3", "-screen", "0", screen, "-nolisten", "tcp"]);
  const number = await new Promise((resolve, reject) => {
    server.stdio[3].once("data", (data) => resolve(Number(data)));
    server.stdio[3].once("end", () => reject(new Error("Xvfb does not start")));
  });
  return { server, name: `:${number}` };
}

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

async function listens(port) {
  for (const began = Date.now(); Date.now() - began < START_MS; await sleep(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}/status`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error("WebKitWebDriver does not answer");
}

async function send(method, url, body) {
  const answer = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${url}: ${value.error}: ${value.message}`);
  return value;
}
