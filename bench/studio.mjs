// The studio page under hard conditions: `node bench/studio.mjs`, after `make build`. A large file
// goes up to a local edge in Chromium, which is killed in the middle, again and again, and the
// line is cut. It fails if a part that the journal has goes up again, or if the stored object
// differs from the file. Then it prints how long the page takes to read each clip.
//   --gigabytes 2        size of the file
//   --kills 5            times that the browser is killed with SIGKILL
//   --offline 6,360      seconds without a line, each once
//   --clips DIR          recordings to read; without it, those of LECTERN_CLIPS
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { launch } from "../tests/browser/chromium.mjs";
import { startLine } from "../tests/browser/line.mjs";
import { browsers } from "../tests/browser/processes.mjs";
import { linkToken, print } from "./common.mjs";
import { Server } from "./server.mjs";

const { values: options } = parseArgs({
  options: {
    gigabytes: { type: "string", default: "2" },
    kills: { type: "string", default: "5" },
    offline: { type: "string", default: "6,360" },
    clips: { type: "string", default: process.env.LECTERN_CLIPS },
  },
});
const MIB = 2 ** 20;
const PART = 16 * MIB;
const VIEWPORT = { width: 800, height: 600 };

const secret = randomBytes(32);
const server = await Server.ofProject([{ kid: "bench", secret: secret.toString("base64url") }]);
const exp = Math.floor(Date.now() / 1000) + 86_400;
const upload = linkToken(secret, { exp, path: "/uploads/", use: "upload" });
const play = linkToken(secret, { exp, path: "/uploads/large.bin" });
const line = await startLine(server.origin);
const folder = mkdtempSync(`${tmpdir()}/lectern-studio-`);
const profile = join(folder, "profile");
const address = `${line.origin}/_lectern/studio#/uploads/?token=${upload}`;

/** Writes a file of random bytes. Returns its name and digest. */
function makeFile(bytes) {
  const path = join(folder, "large.bin");
  const [file, hash] = [openSync(path, "w"), createHash("sha256")];
  for (let left = bytes; left > 0; left -= MIB) {
    const chunk = randomBytes(Math.min(MIB, left));
    hash.update(chunk);
    writeSync(file, chunk);
  }
  closeSync(file);
  return { path, digest: hash.digest("hex"), parts: Math.ceil(bytes / PART) };
}

/** Opens the page in a new browser with the same profile. */
async function open() {
  const context = await launch(profile, VIEWPORT);
  const page = await context.newPage();
  page.setDefaultTimeout(3_600_000);
  await page.addInitScript(() => delete window.showOpenFilePicker);
  await page.goto(address);
  return { context, page };
}

/** The parts that the journal has. */
const journal = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const opening = indexedDB.open("lectern studio");
        opening.onsuccess = () => {
          const asked = opening.result.transaction("parts").objectStore("parts").getAllKeys();
          asked.onsuccess = () => (opening.result.close(), resolve(asked.result.map(([, number]) => number)));
        };
      }),
  );

const partNumbers = (from) =>
  line.carried
    .slice(from)
    .filter(({ method, query, status }) => method === "PUT" && status === 200 && query.has("partNumber"))
    .map(({ query }) => Number(query.get("partNumber")));

async function choose(page, button, path) {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.getByRole("button", { name: button }).click()]);
  await chooser.setFiles(path);
}

/** The digest of the stored object, read as a stream. */
function storedDigest() {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    const asked = request(`${server.origin}/uploads/large.bin?token=${play}`, (answer) => {
      assert.equal(answer.statusCode, 200);
      answer.on("data", (chunk) => hash.update(chunk));
      answer.on("end", () => resolve(hash.digest("hex")));
    });
    asked.on("error", reject);
    asked.end();
  });
}

async function uploadThrough(file, kills, outages) {
  const began = Date.now();
  let { context, page } = await open();
  await choose(page, "Choose files", file.path);
  // A file of random bytes has no format that the browser knows.
  await page.getByRole("button", { name: "Upload anyway" }).click();
  const rows = [];
  const reach = async (share) => {
    while ((await journal(page)).length < share * file.parts) await sleep(200);
  };
  const steps = kills + outages.length + 1;
  for (let kill = 1; kill <= kills; kill += 1) {
    await reach(kill / steps);
    for (const pid of browsers()) process.kill(pid, "SIGKILL");
    await context.close().catch(() => {});
    ({ context, page } = await open());
    await page.locator(".state", { hasText: "Choose large.bin again" }).waitFor();
    const [kept, from] = [new Set(await journal(page)), line.carried.length];
    await choose(page, "Choose the file", file.path);
    rows.push({ what: `kill ${kill}`, kept: kept.size, from });
    rows.at(-1).numbers = kept;
  }
  for (const [at, seconds] of outages.entries()) {
    await reach((kills + 1 + at) / steps);
    line.cut();
    await sleep(1000 * seconds);
    const [kept, from] = [new Set(await journal(page)), line.carried.length];
    line.rule = () => undefined;
    rows.push({ what: `${seconds} s offline`, kept: kept.size, from, numbers: kept });
  }
  await page.locator(".state", { hasText: "The file is stored" }).waitFor();
  const seconds = (Date.now() - began) / 1000;
  await context.close();
  const sentAgain = rows.map(({ numbers, from }) => partNumbers(from).filter((number) => numbers.has(number)).length);
  print([
    ["event", "parts in the journal", "of them sent again"],
    ...rows.map(({ what, kept }, at) => [what, String(kept), String(sentAgain[at])]),
  ]);
  const all = partNumbers(0);
  console.log(`${file.parts} parts, ${all.length - file.parts} of them twice, in ${seconds.toFixed(0)} s`);
  assert.ok(sentAgain.every((count) => count === 0), "a part of the journal went up again");
  assert.equal(await storedDigest(), file.digest, "the stored object differs from the file");
  console.log("the SHA-256 of the stored object equals the file's");
}

/** The time that the page takes to read each clip, and to draw its first frame. */
async function readClips(clips) {
  const { context, page } = await open();
  const script = await page.evaluate(async () => {
    const source = document.querySelector("script[src]").src;
    const [, name] = /"\.\/(inspect-\w+\.js)"/.exec(await (await fetch(source)).text());
    return new URL(name, source).href;
  });
  const files = readdirSync(clips).filter((name) => /\.\w+$/.test(name) && !name.endsWith(".md"));
  await page.setInputFiles("input[type=file]", files.map((name) => join(clips, name)));
  const rows = await page.evaluate(async (script) => {
    const { inspect } = await import(script);
    const rows = [];
    for (const file of document.querySelector("input[type=file]").files) {
      const began = performance.now();
      const { facts, drawFrame, dispose } = await inspect(file);
      const read = performance.now();
      const frame = await drawFrame();
      const drawn = performance.now();
      dispose();
      const codecs = facts.tracks.map(({ codec }) => codec ?? "?").join(", ");
      rows.push([file.name, facts.format ?? "unknown", codecs, (read - began).toFixed(0), frame ? (drawn - read).toFixed(0) : "none"]);
    }
    return rows;
  }, script);
  await context.close();
  print([["clip", "format", "codecs", "read, ms", "first frame, ms"], ...rows]);
}

try {
  if (Number(options.gigabytes) > 0) {
    const file = makeFile(Number(options.gigabytes) * 1e9);
    await uploadThrough(file, Number(options.kills), options.offline.split(",").filter(Boolean).map(Number));
  }
  if (options.clips) await readClips(options.clips);
} finally {
  line.close();
  server.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
