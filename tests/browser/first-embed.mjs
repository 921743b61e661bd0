// Does what docs/first-embed.md says, from an empty folder in each language, and plays what comes
// of it in Chromium; then stumbles as it says one does: over other keys than the edge's, and over a
// path with no lecture.
//   node first-embed.mjs EDGE FOLDER
// LECTERN_KEYS of the environment are the edge's. Prints what was seen as one JSON object, a
// language a key.
import { spawn } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { blocks } from "../docs/blocks.mjs";
import { withChromium } from "./chromium.mjs";

const [edge, folder] = process.argv.slice(2);
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 60_000);
const root = fileURLToPath(new URL("../..", import.meta.url));
const guide = await readFile(`${root}/docs/first-embed.md`, "utf8");

/**
 * The project's folder as the guide has it: the SDK, the built command, and the keys of `make
 * serve`.
 */
async function project(name, keys) {
  const lectern = `${folder}/${name}`;
  await mkdir(lectern);
  await symlink(`${root}/sdk`, `${lectern}/sdk`);
  await symlink(`${root}/target`, `${lectern}/target`);
  await writeFile(`${lectern}/.dev.vars`, `LECTERN_KEYS='${keys}'\n`);
  return lectern;
}

const { LECTERN_KEYS, ...environment } = process.env;
const lectern = await project("lectern", LECTERN_KEYS);
// Under the same id.
const other = await project(
  "other",
  LECTERN_KEYS.replace(
    /"secret":"./,
    (start) => start.slice(0, -1) + (start.endsWith("A") ? "B" : "A"),
  ),
);

/**
 * The commands of a language's section as one script: a file is written where its text is shown.
 */
function script(language) {
  const section = guide.split(`\n## ${language}\n`)[1].split("\n## ")[0];
  const steps = blocks(section).map(({ language: kind, code }) => {
    if (kind === "sh") return code.replace("http://localhost:8787", edge);
    const [, name] = /^(?:#|\/\/) (\S+)\n/.exec(code);
    return `cat >${name} <<'END'\n${code}END\n`;
  });
  const [, command] = /^\d\. `([^`]+)`, and <http:\/\/localhost:3000> plays it\.$/m.exec(section);
  return `set -euo pipefail\n${steps.join("")}exec ${command}\n`;
}

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "localhost", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Follows the guide, in a folder of this name, and looks at the page. */
async function follow(context, name, script, lectern, look) {
  const cwd = `${folder}/${name}`;
  await mkdir(cwd);
  const port = await freePort();
  const school = spawn("bash", ["-c", script], {
    cwd,
    env: { ...environment, LECTERN: lectern, PORT: port },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  let warned = "";
  school.stdout.on("data", (text) => (printed += text));
  school.stderr.on("data", (text) => (warned += text));
  const ended = new Promise((resolve) => school.on("exit", resolve));
  try {
    const url = `http://localhost:${port}/`;
    const started = Date.now();
    while (!(await fetch(url).catch(() => undefined))) {
      if (school.exitCode !== null || Date.now() - started > LIMIT_MS) {
        throw new Error(`${name}: no page\n${printed}\n${warned}`);
      }
      await new Promise((later) => setTimeout(later, 50));
    }
    const page = await context.newPage();
    await page.goto(url);
    return { printed, ...(await look(page.frameLocator("iframe"))) };
  } finally {
    school.kill();
    await ended;
  }
}

const play = (frame) =>
  frame.locator("video").evaluate(
    (video, limit) =>
      new Promise((resolve) => {
        const tell = (how) =>
          resolve({
            how,
            currentTime: video.currentTime,
            frames: video.getVideoPlaybackQuality().totalVideoFrames,
          });
        video.addEventListener("ended", () => tell("ended"));
        setTimeout(() => tell("timeout"), limit);
        video.muted = true;
        void video.play().catch(() => {});
      }),
    LIMIT_MS,
  );

const read = async (frame) => ({
  said: await frame.locator("lectern-video[state=refused] [role=alert]:visible").textContent({
    timeout: LIMIT_MS,
  }),
});

async function walk(context, language) {
  const steps = script(language);
  const played = await follow(context, language, steps, lectern, play);
  const otherKeys = await follow(context, `${language}-other-keys`, steps, other, read);
  const nothing = await follow(
    context,
    `${language}-nothing`,
    steps.replaceAll("/courses/rails/intro/", "/courses/rails/none/"),
    lectern,
    read,
  );
  return { ...played, otherKeys: otherKeys.said, nothing: nothing.said };
}

await withChromium(async (context) => {
  const languages = ["Ruby", "Node"];
  const seen = await Promise.all(languages.map((language) => walk(context, language)));
  console.log(
    JSON.stringify(Object.fromEntries(languages.map((language, at) => [language, seen[at]]))),
  );
});
