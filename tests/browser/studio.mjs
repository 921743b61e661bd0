// Uses the studio page in Chromium as a creator does, over a line that breaks.
//   node studio.mjs ORIGIN FOLDER TOKEN BOUNDED WATCH
// FOLDER has clip.mp4, silent.mp4 and cut.mp4. TOKEN writes below /uploads/rails/, BOUNDED below
// /uploads/small/ with small bounds. WATCH is a play link. SCREENSHOTS names a folder for pictures.
// Prints what was seen as JSON.
import { appendFile, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { axe } from "./axe.mjs";
import { launch } from "./chromium.mjs";
import { startLine } from "./line.mjs";
import { browsers } from "./processes.mjs";

const [edge, folder, token, bounded, watch] = process.argv.slice(2);
const { SCREENSHOTS } = process.env;
const LIMIT_MS = 300_000;
const MIB = 2 ** 20;
const VIEWPORT = { width: 1280, height: 900 };

const line = await startLine(edge);
const profile = await mkdtemp(`${tmpdir()}/lectern-browser-`);
let context = await launch(profile, VIEWPORT);
const errors = [];
const seen = {};

/** Opens the page. It has no picker for handles, unless `init` brings one. */
async function open(fragment, init = () => delete window.showOpenFilePicker) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => /Content Security Policy/.test(message.text()) && errors.push(message.text()));
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(line.origin)) errors.push(`requested ${new URL(request.url()).host}`);
  });
  await page.addInitScript(init);
  await page.goto(`${line.origin}/_lectern/studio${fragment}`);
  return page;
}

const began = Date.now();
const mark = (what) => process.env.TIMES && console.error(((Date.now() - began) / 1000).toFixed(1), what);
const rails = `#/uploads/rails/?token=${token}`;
const card = (page, name) => page.locator(".card").filter({ hasText: name });
const state = (page, name) => card(page, name).locator(".state");
const press = (page, name, button) => card(page, name).getByRole("button", { name: `${button}: `, exact: false }).click();
const choose = (page, ...names) => page.locator("input[type=file]").setInputFiles(names.map((name) => join(folder, name)));
const until = async (page, name, text) => (await state(page, name).filter({ hasText: text }).waitFor(), mark(`${name}: ${text}`));
const picture = (page, name) => SCREENSHOTS && page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true });
const parts = (name) => line.carried.filter(({ method, pathname, query, status }) => method === "PUT" && status === 200 && query.has("partNumber") && pathname.endsWith(name)).map(({ query }) => Number(query.get("partNumber")));
const isPart = ({ method, query }, ...numbers) => method === "PUT" && numbers.includes(Number(query.get("partNumber")));

/** Chooses files with the page's own button. */
async function pick(page, button, ...names) {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), button.click()]);
  await chooser.setFiles(names.map((name) => join(folder, name)));
}
const add = (page, ...names) => pick(page, page.getByRole("button", { name: "Choose files" }), ...names);

/** Makes a film of `mebibytes` from the clip: a box at its end that players skip, and no part alike. */
async function makeFilm(name, mebibytes) {
  const file = join(folder, name);
  await copyFile(join(folder, "clip.mp4"), file);
  const box = Buffer.alloc(8);
  box.writeUInt32BE(8 + mebibytes * MIB);
  box.write("free", 4);
  await appendFile(file, box);
  for (let at = 0; at < mebibytes; at += 1) await appendFile(file, Buffer.alloc(MIB, `${name} ${at} `));
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

/** Looks at a page on a phone and a desktop, in both colour schemes and in forced colours. */
async function look(page, name, widths = [1280, 390], schemes = ["light", "dark", "forced"]) {
  const found = [];
  for (const width of widths)
    for (const scheme of schemes) {
      const media = scheme === "forced" ? { forcedColors: "active" } : { colorScheme: scheme };
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      await page.emulateMedia({ colorScheme: null, forcedColors: null, ...media });
      const where = `${name} ${width} ${scheme}`;
      if (scheme !== "forced") found.push(...(await axe(page)).map((violation) => `${where}: ${violation}`));
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (overflow > 0) found.push(`${where}: ${overflow} px too wide`);
      await picture(page, where);
    }
  await page.emulateMedia({ colorScheme: null, forcedColors: null });
  await page.setViewportSize(VIEWPORT);
  return found;
}

/** Faults of files and links are told before the first byte goes up. */
async function warnings() {
  const refused = {};
  for (const [name, fragment] of [["none", "#"], ["play", `#${watch}`], ["other", `#https://other.example/uploads/?token=${token}`]]) {
    const page = await open(fragment);
    refused[name] = await page.locator("[role=alert]").textContent();
    await page.close();
  }
  await writeFile(join(folder, "empty.mp4"), "");
  await writeFile(join(folder, "notes.txt"), "no recording");
  const page = await open(`#/uploads/small/?token=${bounded}`);
  await add(page, "empty.mp4", "silent.mp4", "cut.mp4", "notes.txt", "clip.mp4");
  await until(page, "silent.mp4", "Check this");
  await until(page, "notes.txt", "Check this");
  await until(page, "cut.mp4", "Check this");
  await until(page, "empty.mp4", "cannot be uploaded");
  await page.locator(".card canvas").first().waitFor();
  const told = {};
  for (const name of ["empty.mp4", "silent.mp4", "cut.mp4", "notes.txt"]) told[name] = await card(page, name).locator(".warnings li").allTextContents();
  const facts = (await card(page, "silent.mp4").locator(".facts").textContent()).replace(/\d+ kB/, "SIZE");
  const sent = line.carried.filter(({ method, pathname }) => method !== "GET" && !pathname.includes("clip.mp4"));
  await until(page, "clip.mp4", "no news");
  const axes = await look(page, "warnings");
  await page.close();
  return { refused, told, facts, sent: sent.length, axes };
}

/** The browser is killed in the middle; the file is chosen again. */
async function killed() {
  await makeFilm("film.mp4", 39);
  let page = await open(rails);
  line.rule = (request) => (isPart(request, 2, 3) ? new Promise(() => {}) : undefined);
  await add(page, "film.mp4");
  while ((await journal(page)).length < 1) await page.waitForTimeout(50);
  await picture(page, "sending");
  for (const pid of browsers()) process.kill(pid, "SIGKILL");
  await context.close().catch(() => {});
  line.rule = () => undefined;
  context = await launch(profile, VIEWPORT);
  page = await open(rails);
  await until(page, "film.mp4", "Choose film.mp4 again");
  const left = (await state(page, "film.mp4").textContent()).replace(/\d+ MB of \d+ MB/, "SOME of ALL");
  const axes = await look(page, "again", [390], ["dark"]);
  await copyFile(join(folder, "clip.mp4"), join(folder, "other.mp4"));
  await pick(page, card(page, "film.mp4").getByRole("button", { name: "Choose the file" }), "other.mp4");
  await until(page, "film.mp4", "This is another file");
  await pick(page, card(page, "film.mp4").getByRole("button", { name: "Choose the file" }), "film.mp4");
  await until(page, "film.mp4", "no news");
  await page.close();
  return { left, parts: parts("film.mp4").sort(), axes };
}

/** A broken line, a pause, another tab, an expired link, and an upload that is given up. */
async function interrupted() {
  await makeFilm("talk.mp4", 39);
  const page = await open(rails);
  let isBroken = true;
  line.rule = (request) => (isBroken && isPart(request, 2, 3) ? "break" : undefined);
  await add(page, "talk.mp4");
  await until(page, "talk.mp4", "The site does not answer");
  const found = { broken: await state(page, "talk.mp4").textContent() };
  await context.setOffline(true);
  await until(page, "talk.mp4", "There is no connection");
  await context.setOffline(false);
  await press(page, "talk.mp4", "Pause");
  await until(page, "talk.mp4", "Paused");
  const other = await open(rails);
  await until(other, "talk.mp4", "Choose talk.mp4 again");
  line.rule = (request) => (isPart(request, 3) ? new Promise((resolve) => (line.go = resolve)) : undefined);
  await press(page, "talk.mp4", "Continue");
  while ((await journal(page)).filter((number) => number === 2).length < 1) await page.waitForTimeout(50);
  // The other tab has the file too, and leaves the upload to the first.
  await pick(other, card(other, "talk.mp4").getByRole("button", { name: "Choose the file" }), "talk.mp4");
  await until(other, "talk.mp4", "runs in another tab");
  found.other = await state(other, "talk.mp4").textContent();
  // The link expires before the last part; a new one comes.
  line.rule = (request) => (isPart(request, 3) ? { status: 403, body: '{"code":"expired"}' } : undefined);
  line.go({ status: 403, body: '{"code":"expired"}' });
  await until(page, "talk.mp4", "The link has expired");
  found.expired = await state(page, "talk.mp4").textContent();
  await until(other, "talk.mp4", "Paused");
  line.rule = () => undefined;
  await page.evaluate((fragment) => (location.hash = fragment), `${rails}&again=1`);
  await until(page, "talk.mp4", "no news");
  found.parts = parts("talk.mp4").sort();
  await other.close();

  // The same file under the same name is another upload, which asks.
  await add(page, "talk.mp4");
  found.twice = await page.locator(".notice").filter({ hasText: "already" }).textContent();
  await press(page, "talk.mp4", "Remove from this list");
  await add(page, "talk.mp4");
  await until(page, "talk.mp4", "There is a file named");
  found.axes = await look(page, "exists", [1280], ["light"]);
  const before = parts("talk.mp4").length;
  line.rule = (request) => (isPart(request, 2) ? new Promise(() => {}) : undefined);
  await press(page, "talk.mp4", "Keep both");
  await card(page, "talk-2.mp4").waitFor();
  while ((await journal(page)).length < 1) await page.waitForTimeout(50);
  found.again = parts("talk.mp4").length - before;
  const progress = card(page, "talk-2.mp4").locator("progress");
  while (!(await progress.evaluate((bar) => bar.value > 0))) await page.waitForTimeout(50);
  await press(page, "talk-2.mp4", "Cancel");
  await until(page, "talk-2.mp4", "Discard it?");
  await press(page, "talk-2.mp4", "Discard");
  await card(page, "talk-2.mp4").waitFor({ state: "detached" });
  line.rule = () => undefined;
  found.aborted = line.carried.filter(({ method, query, status }) => method === "DELETE" && query.has("uploadId") && status === 204).length;
  found.left = await journal(page);
  await page.close();
  return found;
}

/** A file handle opens the file again, and the packager's status is followed to the lecture. */
async function packaged() {
  const picker = () => {
    // A handle of the origin's own files, which Chromium stores as it does those of the disk.
    window.showOpenFilePicker = async () => {
      const root = await navigator.storage.getDirectory();
      return [await root.getFileHandle("intro.mp4")];
    };
  };
  let page = await open(`${rails}&watch=${encodeURIComponent(watch)}`, picker);
  await page.evaluate(async (clip) => {
    const root = await navigator.storage.getDirectory();
    const writer = await (await root.getFileHandle("intro.mp4", { create: true })).createWritable();
    const clipBytes = Uint8Array.from(atob(clip), (char) => char.charCodeAt(0));
    await writer.write(clipBytes);
    const box = new Uint8Array(8 + 17 * 2 ** 20);
    new DataView(box.buffer).setUint32(0, box.length);
    box.set([0x66, 0x72, 0x65, 0x65], 4);
    await writer.write(box);
    await writer.close();
  }, (await readFile(join(folder, "clip.mp4"))).toString("base64"));
  line.rule = (request) => (isPart(request, 2) ? new Promise(() => {}) : undefined);
  await page.getByRole("button", { name: "Choose files" }).click();
  while ((await journal(page)).length < 1) await page.waitForTimeout(50);
  await page.close();

  // An earlier upload of this name left a status.
  let status = { state: "done", percent: 100, updated: 1 };
  line.rule = ({ method, pathname }) => (method === "GET" && pathname.endsWith("intro.mp4.status.json") ? { status: 200, body: JSON.stringify(status) } : undefined);
  // The browser still has the permission, so nothing is asked.
  page = await open(`${rails}&watch=${encodeURIComponent(watch)}`, picker);
  await until(page, "intro.mp4", "no news");
  status = { state: "packaging", percent: 40, updated: 2 };
  await until(page, "intro.mp4", "being packaged: 40%");
  const found = { bar: await card(page, "intro.mp4").locator("progress").evaluate((bar) => bar.value), parts: parts("intro.mp4").sort() };
  await picture(page, "packaging");
  status = { state: "playing", percent: 70, lecture: "/courses/rails/intro/", rungs: ["480p"], updated: 3 };
  await until(page, "intro.mp4", "plays already in 480p");
  status = { state: "done", percent: 100, lecture: "/courses/rails/intro/", rungs: ["480p", "720p"], updated: 4 };
  await until(page, "intro.mp4", "is ready");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await card(page, "intro.mp4").getByRole("button", { name: "Copy: Link" }).click();
  await card(page, "intro.mp4").getByRole("button", { name: "Copied: Link" }).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  found.copied = copied.replace(line.origin, "").replace(watch, "WATCH");
  found.embed = (await card(page, "intro.mp4").getByLabel("Code for your page", { exact: true }).inputValue()).replace(line.origin, "").replace(/#.*?"/, '#"');
  found.axes = await look(page, "done");
  // The page of the link plays.
  await page.goto(copied);
  while (!(await page.evaluate(() => document.querySelector("video")?.readyState > 2))) await page.waitForTimeout(50);
  found.plays = true;
  return found;
}

const hang = setTimeout(() => (console.error("nothing came", seen, errors), process.exit(1)), 3 * LIMIT_MS);
const only = process.env.ONLY?.split(",");
for (const [name, part] of Object.entries({ warnings, killed, interrupted, packaged })) {
  if (only && !only.includes(name)) continue;
  seen[name] = await part();
}
clearTimeout(hang);
await context.close();
line.close();
await rm(profile, { recursive: true, force: true });
console.log(JSON.stringify({ ...seen, errors }));
