// Uses the player page in Chromium as a viewer does, with keys and clicks.
//   node player.mjs use|tools|trouble|preview|embed|axe|monkey ORIGIN LINK [OTHER]
// LINK opens a lecture of 40 seconds with chapters at 0 and 20 seconds, captions in English and German, two audio tracks, and rungs
// of 480 and 720 lines. OTHER is a link to its `lecture.mp4` for `trouble`, and an expired token for `embed`. SCREENSHOTS names a
// folder for pictures. Prints what was seen as JSON.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { build } from "esbuild";
import { withChromium } from "./chromium.mjs";

const [part, origin, link, other] = process.argv.slice(2);
const { SCREENSHOTS } = process.env;
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 60_000);

/** Opens the player page in a new tab, and collects errors. */
async function open(context, opened = link, query = "") {
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => /Content Security Policy/.test(message.text()) && errors.push(message.text()));
  await page.goto(`${origin}/_lectern/play${query}#${opened.replace(origin, "")}`);
  return { page, errors };
}

const see = (page) =>
  page.evaluate(() => {
    const { currentTime, paused, playbackRate, volume, muted, videoHeight, readyState, seeking, buffered } = document.querySelector("video");
    const ranges = Array.from({ length: buffered.length }, (_, at) => [buffered.start(at), buffered.end(at)]);
    return { currentTime, paused, playbackRate, volume, muted, videoHeight, readyState, seeking, ranges, state: document.querySelector("lectern-video").getAttribute("state") };
  });
/** Waits until a condition on the video holds. The page's policy forbids that it evaluates text itself. */
async function until(page, condition, argument) {
  const began = Date.now();
  while (!(await page.evaluate(`(${condition})(document.querySelector("video"), ${JSON.stringify(argument)})`).catch(() => false))) {
    if (Date.now() - began > LIMIT_MS) throw new Error(`${condition} with ${argument}: ${JSON.stringify(await see(page))}`);
    await page.waitForTimeout(50);
  }
}
const ready = (page) => until(page, "(video) => video.readyState > 2 && video.duration > 30");
const controls = (page) => page.locator("lectern-video .bar").waitFor();
const text = (page, selector) => page.locator(`lectern-video ${selector}`).first().textContent();
const named = (page, name) => page.locator(`lectern-video .button.${name}`);
const focused = (page) => page.evaluate(() => document.querySelector("lectern-video").shadowRoot.activeElement?.className);
const notice = (page, words) => page.locator("lectern-video .notice", { hasText: words }).waitFor();
const picture = (page, name) => SCREENSHOTS && page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });

async function use(context) {
  const seen = {};
  const { page, errors } = await open(context);
  await ready(page);
  // Nothing has the focus.
  const press = async (key, condition, argument) => {
    await page.keyboard.press(key);
    await until(page, condition, argument);
  };
  await press("k", "(video) => !video.paused && video.currentTime > 0.5");
  await press(" ", "(video) => video.paused");
  await page.locator("lectern-video[state=paused]").waitFor();
  await page.evaluate(() => (document.querySelector("video").currentTime = 15));
  const at = { "0": 0, "5": 20, l: 30, j: 20, ArrowRight: 25, ArrowLeft: 20, Home: 0 };
  for (const [key, second] of Object.entries(at)) await press(key, "(video, second) => Math.abs(video.currentTime - second) < 0.5", second);
  await press("End", "(video) => video.duration - video.currentTime < 0.5");
  await press("Home", "(video) => video.currentTime === 0");
  await press("ArrowDown", "(video) => video.volume === 0.95");
  await press("ArrowUp", "(video) => video.volume === 1");
  await press("m", "(video) => video.muted");
  await press(">", "(video) => video.playbackRate === 1.25");
  await press("<", "(video) => video.playbackRate === 1");
  await controls(page);
  await page.keyboard.press("?");
  seen.keys = await page.locator("lectern-video [role=dialog] kbd").count();
  await page.keyboard.press("Escape");
  seen.closed = await page.locator("lectern-video [role=dialog]").count();

  // A manual quality counts more than the player's size.
  await named(page, "settings").click();
  const panel = page.locator("lectern-video [role=dialog]");
  const choose = (choice) => panel.locator("label").filter({ has: page.getByText(choice, { exact: true }) }).first().click();
  seen.groups = await panel.locator("legend").allTextContents();
  seen.qualities = await panel.getByRole("group", { name: "Quality" }).locator("label").allTextContents();
  await picture(page, "settings");
  await choose("720p");
  await choose("2.5×");
  await choose("Deutsch");
  await page.keyboard.press("k");
  await until(page, "(video) => video.videoHeight === 720 && video.playbackRate === 2.5");
  await page.locator("lectern-video .cues p").first().waitFor();
  seen.cue = await text(page, ".cues p");
  // Segments of the chosen audio track load.
  const audio = panel.getByRole("group", { name: "Audio" });
  const loads = page.waitForRequest(/\/audio\/de\/seg/);
  await audio.getByRole("radio", { name: "Deutsch" }).check();
  await loads;
  seen.audio = await audio.locator("label:has(:checked)").allTextContents();
  await page.keyboard.press("Escape");
  await page.keyboard.press("k");
  await until(page, "(video) => video.paused");

  await named(page, "chapters").click();
  seen.chapters = await panel.locator("li").allTextContents();
  await panel.getByText("Questions & answers").click();
  await until(page, "(video) => Math.abs(video.currentTime - 20) < 0.5");
  await page.locator("lectern-video .chapter", { hasText: "Questions & answers" }).waitFor({ state: "attached" });
  await page.keyboard.press("Escape");

  await named(page, "transcript").click();
  await panel.getByRole("searchbox").fill("sekunde 12");
  await panel.locator(".lines button", { hasText: "Sekunde 12" }).click();
  await until(page, "(video) => Math.abs(video.currentTime - 12.1) < 0.3");
  seen.found = await panel.locator(".lines button").count();
  await picture(page, "transcript");
  await page.keyboard.press("Escape");

  // The bar shows a small picture and the chapter of another second.
  const range = page.locator("lectern-video lectern-time-range");
  const box = await range.boundingBox();
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height / 2);
  await page.waitForFunction(() => document.querySelector("lectern-video").shadowRoot.querySelector("lectern-time-range").hasAttribute("mediapreviewimage"));
  seen.preview = await range.evaluate((range) => ({
    image: new URL(range.getAttribute("mediapreviewimage")).pathname.split("/").slice(-2).join("/"),
    chapter: range.getAttribute("mediapreviewchapter"),
  }));
  await range.evaluate((range) => range.shadowRoot.querySelector("media-preview-thumbnail").shadowRoot.querySelector("img").decode());
  // The preview fades in.
  await page.waitForTimeout(600);
  await page.evaluate(() => document.activeElement.blur());
  await picture(page, "player");
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await until(page, "(video) => Math.abs(video.currentTime - 20) < 1");
  seen.poster = await page.evaluate(() => new URL(document.querySelector("video").poster).pathname.split("/").at(-1));

  await page.keyboard.press("f");
  await page.waitForFunction(() => document.fullscreenElement?.localName === "lectern-video");
  await page.keyboard.press("f");
  await page.waitForFunction(() => !document.fullscreenElement);

  await press("5", "(video) => !video.seeking && Math.abs(video.currentTime - 20) < 0.1");
  // A reload keeps the place, the speed and the captions.
  await page.reload();
  await ready(page);
  await controls(page);
  const { currentTime, playbackRate } = await see(page);
  seen.again = { place: Math.round(currentTime), playbackRate, notice: await text(page, ".notice") };
  await page.locator("lectern-video .button.captions[aria-pressed=true]").waitFor();
  await page.getByRole("button", { name: "Start over" }).click();
  await until(page, "(video) => video.currentTime < 1");

  const other = await open(context, link, "?t=0:30&lang=de");
  await ready(other.page);
  await controls(other.page);
  const label = await other.page.locator("lectern-video .button.settings").getAttribute("aria-label");
  seen.shared = { place: Math.round((await see(other.page)).currentTime), label };
  return { ...seen, errors: [...errors, ...other.errors] };
}

/** Notes, transcript, download, silences, styles and the watermark, by a link with the use `download`. */
async function tools(context) {
  const seen = {};
  // Silences and captions of this test: a cue each second, where the package has one in three.
  await context.route(/\/master\.m3u8/, async (route) => {
    const response = await route.fetch();
    const data = (id, uri, more = "") => `#EXT-X-SESSION-DATA:DATA-ID="lectern.${id}",URI="${uri}",FORMAT=RAW${more}\n`;
    const listed = [data("silences", "silences.json"), ...["en", "fr"].map((language) => data("captions", `whole-${language}.vtt`, `,LANGUAGE="${language}"`))];
    const playlist = (await response.text()).replace(/^.*"lectern\.captions".*\n/gm, "");
    await route.fulfill({ response, body: `${playlist.trimEnd()}\n${listed.join("")}` });
  });
  await context.route(/\/silences\.json/, (route) => route.fulfill({ json: [[6, 14]] }));
  await context.route(/\/whole-\w+\.vtt/, (route) => {
    const word = route.request().url().includes("whole-fr") ? "Seconde" : "Second";
    const two = (second) => String(second).padStart(2, "0");
    const cues = Array.from({ length: 40 }, (_, at) => `00:${two(at)}.100 --> 00:${two(at)}.900\n<i>${word}</i> ${at}.\n\n`);
    return route.fulfill({ contentType: "text/vtt", body: `WEBVTT\n\n${cues.join("")}` });
  });
  const { page, errors } = await open(context);
  await ready(page);
  await controls(page);
  const second = () => page.evaluate(() => document.querySelector("video").currentTime);
  const seek = async (to) => {
    await page.evaluate((to) => (document.querySelector("video").currentTime = to), to);
    await until(page, "(video, to) => !video.seeking && Math.abs(video.currentTime - to) < 0.5", to);
  };
  const play = (isPlaying) => page.evaluate((isPlaying) => document.querySelector("video")[isPlaying ? "play" : "pause"](), isPlaying);
  const panel = page.locator("lectern-video [role=dialog]");
  await page.evaluate(() => (document.querySelector("video").muted = true));
  seen.title = [await page.title(), await page.locator("h1").textContent()];

  // Notes at seconds of the lecture: written, edited, deleted, brought back, kept and exported.
  const notes = () => panel.locator(".notes li").evaluateAll((items) => items.map((item) => [item.querySelector(".time").textContent, item.querySelector("p")?.textContent]));
  await seek(25);
  await page.keyboard.press("n");
  await panel.getByLabel("Note at").waitFor();
  await page.keyboard.type("What is a proof?");
  await seek(32);
  await page.keyboard.press("Enter");
  await page.keyboard.type("Later");
  await page.keyboard.press("Enter");
  await panel.getByRole("button", { name: "Edit: 0:25" }).click();
  await page.keyboard.type(" Ask!");
  await page.keyboard.press("Enter");
  await panel.getByRole("button", { name: "Delete: 0:32" }).click();
  seen.deleted = await notes();
  await page.getByRole("button", { name: "Undo" }).click();
  seen.notes = await notes();
  await panel.getByRole("button", { name: "Go to 0:25" }).click();
  await until(page, "(video) => Math.abs(video.currentTime - 25) < 0.5");
  const exporting = page.waitForEvent("download");
  await panel.getByRole("button", { name: "Save notes" }).click();
  const exported = await exporting;
  seen.exported = [exported.suggestedFilename(), await readFile(await exported.path(), "utf8")];
  await picture(page, "notes");
  await page.reload();
  await ready(page);
  await controls(page);
  await page.evaluate(() => (document.querySelector("video").muted = true));
  await page.keyboard.press("n");
  await panel.locator(".notes li").first().waitFor();
  seen.kept = (await notes()).length;
  await page.keyboard.press("Escape");

  // The transcript follows what plays while its field has the focus, and leaves captions off.
  await page.keyboard.press("t");
  await panel.locator(".lines button").nth(9).waitFor();
  await seek(3);
  const line = panel.locator(".lines [aria-current]");
  const before = await line.textContent();
  await play(true);
  await panel.locator(".lines [aria-current]", { hasNotText: before }).waitFor();
  await play(false);
  seen.transcript = {
    lines: await panel.locator(".lines button").count(),
    isFocused: await panel.getByRole("searchbox").evaluate((field) => field.matches(":focus")),
    captions: await named(page, "captions").getAttribute("aria-pressed"),
    cues: await page.locator("lectern-video .cues p").count(),
  };
  await panel.getByRole("combobox").selectOption("fr");
  await panel.locator(".lines", { hasText: "Seconde 30." }).waitFor();
  await panel.getByRole("combobox").selectOption("English");
  await panel.locator(".lines", { hasText: "Second 30." }).waitFor();
  await panel.getByRole("searchbox").fill("SECOND 3");
  seen.transcript.marks = (await panel.locator("mark").allTextContents()).length;
  while (!(await panel.locator(".lines button:focus").count())) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until(page, "(video) => Math.abs(video.currentTime - 3.1) < 0.3");
  await page.keyboard.press("Escape");

  // The focus is on the timeline: arrows move by seconds.
  await seek(10);
  await page.evaluate(() => document.querySelector("lectern-video").shadowRoot.querySelector("lectern-time-range").shadowRoot.querySelector("input").focus());
  seen.timeline = [];
  for (const key of ["ArrowRight", "Shift+ArrowRight", "ArrowDown", "Home"]) {
    await page.keyboard.press(key);
    await until(page, "(video) => !video.seeking");
    seen.timeline.push(Math.round(await second()));
  }
  // A held key plays once, and does not flicker.
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.down("k");
  await until(page, "(video) => !video.paused");
  for (let at = 0; at < 5; at += 1) await page.keyboard.down("k");
  seen.held = (await see(page)).paused;
  await page.keyboard.up("k");
  await play(false);

  // Silences are skipped once the viewer asks for that.
  await seek(4.5);
  await named(page, "settings").click();
  await panel.getByRole("switch", { name: "Skip silence" }).check();
  const saver = panel.getByRole("switch", { name: "Save data" });
  await saver.check();
  seen.lowData = [await page.evaluate(() => document.querySelector("lectern-video").engine.choices.lowData)];
  await picture(page, "switches");
  await saver.uncheck();
  seen.lowData.push(await page.evaluate(() => document.querySelector("lectern-video").engine.choices.lowData));
  await page.keyboard.press("Escape");
  await play(true);
  await notice(page, "Skipped");
  await play(false);
  seen.skipped = (await second()) > 12;

  // Captions have the viewer's style, also after a reload. Outside the page, the browser draws them.
  await named(page, "settings").click();
  await panel.getByText("Caption style").click();
  for (const choice of ["Yellow on black", "Very large", "Top"]) await panel.getByRole("radio", { name: choice, exact: true }).check();
  await picture(page, "caption-style");
  await page.keyboard.press("Escape");
  await page.reload();
  await ready(page);
  await controls(page);
  await page.evaluate(() => (document.querySelector("video").muted = true));
  await seek(0.5);
  await page.keyboard.press("c");
  const cue = page.locator("lectern-video .cues p").first();
  await cue.waitFor();
  seen.style = await cue.evaluate((cue) => [getComputedStyle(cue).color, cue.parentElement.dataset.size, cue.getBoundingClientRect().top < 200]);
  await picture(page, "captions");
  const modes = () => page.evaluate(() => [...document.querySelector("video").textTracks].filter(({ kind }) => kind === "subtitles").map(({ mode }) => mode));
  await page.keyboard.press("p");
  await page.waitForFunction(() => document.pictureInPictureElement === document.querySelector("video"));
  seen.outside = [await modes(), await page.locator("lectern-video .cues p").count()];
  await page.keyboard.press("p");
  await page.waitForFunction(() => !document.pictureInPictureElement);
  await cue.waitFor();
  seen.inside = await modes();
  await page.keyboard.press("c");

  // The watermark is over the picture, in full screen as well, and no screen reader says it.
  await page.evaluate(() => document.querySelector("lectern-video").setAttribute("watermark", "Priya Sharma"));
  await page.keyboard.press("f");
  await page.waitForFunction(() => document.fullscreenElement?.localName === "lectern-video");
  const watermark = page.locator("lectern-video .watermark");
  const place = () => watermark.locator("span").evaluate((name) => name.getBoundingClientRect().toJSON());
  const { top, left, right, bottom } = await place();
  const contrast = await watermark.evaluate((element) => [element.textContent, element.getAttribute("aria-hidden"), getComputedStyle(element).animationName]);
  seen.watermark = [...contrast, top > 0 && left > 0 && right < 1280 && bottom < 720];
  await page.emulateMedia({ reducedMotion: "reduce" });
  seen.still = await watermark.locator("span").evaluate((name) => getComputedStyle(name).animationName);
  await page.emulateMedia({ reducedMotion: null });
  await picture(page, "watermark");
  await page.keyboard.press("f");
  await page.waitForFunction(() => !document.fullscreenElement);

  // The focus goes to a card's button, and back.
  await named(page, "settings").focus();
  await page.evaluate(() => document.querySelector("lectern-video").refuse({ code: "expired" }));
  await page.locator("lectern-video .card").waitFor();
  seen.focus = [await focused(page)];
  await page.keyboard.press("Enter");
  await ready(page);
  await page.locator("lectern-video .card").waitFor({ state: "hidden" });
  seen.focus.push(await focused(page));

  // A download, and none.
  const downloading = page.waitForEvent("download");
  await named(page, "download").click();
  const download = await downloading;
  seen.download = [new URL(download.url()).pathname.split("/").at(-1), download.suggestedFilename()];
  await context.route(/\/lecture\.mp4/, (route) => route.fulfill({ status: 404, body: "" }));
  await named(page, "download").click();
  await notice(page, "no download");

  // On the smallest screen, and at a zoom of 400 %, each function is in the bar or in "More".
  seen.reachable = {};
  for (const [width, height] of [[1280, 720], [390, 700], [320, 640], [320, 180]]) {
    await page.setViewportSize({ width, height });
    // The bar is laid out in the next frame.
    await page.waitForTimeout(200);
    const inBar = await page.evaluate(() => {
      const { shadowRoot } = document.querySelector("lectern-video");
      return [...shadowRoot.querySelectorAll(".row > *")].filter((part) => part.checkVisibility()).map((part) => part.getAttribute("aria-label") ?? part.localName);
    });
    const more = page.locator("lectern-video .button.more:visible");
    let listed = [];
    if (await more.count()) {
      await more.click();
      listed = await panel.locator(".more-list li").allTextContents();
      await page.keyboard.press("Escape");
    }
    const all = [...inBar, ...listed].map((name) => name.toLowerCase().replace("lectern-volume-range", "volume"));
    const wanted = ["pause", "unmute", "chapters", "transcript", "notes", "captions", "download", "settings", "keyboard shortcuts", "full screen", "volume"];
    seen.reachable[`${width}x${height}`] = wanted.filter((name) => !all.includes(name));
  }
  return { ...seen, errors };
}

async function trouble(context) {
  const seen = {};
  // Segments beyond the first four wait, are refused, or pass.
  const late = { mode: Promise.withResolvers() };
  const problem = { status: 403, contentType: "application/problem+json", json: { code: "revoked", title: "This link was withdrawn." } };
  await context.route(/\/seg0000[4-9]\.m4s/, async (route) => {
    const mode = await late.mode.promise;
    await (mode === "refuse" ? route.fulfill(problem) : route.continue()).catch(() => {});
  });
  const { page, errors } = await open(context);
  const mute = () => page.evaluate(() => (document.querySelector("video").muted = true));
  await mute();
  await ready(page);
  await controls(page);
  await page.keyboard.press("k");
  await until(page, "(video) => video.currentTime > 1");

  // A refused segment covers the picture with a card, and the place is kept.
  late.mode.resolve("refuse");
  await page.locator("[role=alert]:visible").waitFor();
  const covered = await page.evaluate(() => {
    const video = document.querySelector("video");
    return { hasPicture: video.videoWidth > 0 && video.readyState > 1 && video.checkVisibility(), paused: video.paused };
  });
  seen.refused = { ...covered, said: await page.locator("[role=alert]").textContent(), advice: await text(page, ".advice") };
  await picture(page, "refused");
  await page.keyboard.press("k");
  await page.keyboard.press("8");
  const { state, currentTime } = await see(page);
  seen.stays = { state, isKept: currentTime > 1 && currentTime < 16 };
  late.mode = Promise.withResolvers();
  late.mode.resolve("pass");
  await page.locator("lectern-video .retry").click();
  await until(page, "(video, place) => !video.paused && video.currentTime > place && video.currentTime < place + 5", currentTime);
  seen.retried = (await see(page)).state;

  // Nothing arrives for seconds: the page says so, and goes on by itself.
  late.mode = Promise.withResolvers();
  await page.reload();
  await ready(page);
  await mute();
  await page.keyboard.press("k");
  await page.keyboard.press("5");
  await page.locator("[role=alert]:visible", { hasText: "slow" }).waitFor();
  await page.locator("lectern-video .card.small .retry").waitFor();
  await picture(page, "slow");
  late.mode.resolve("pass");
  await until(page, "(video) => video.currentTime > 20.5");

  // Without a connection, the sentence stays as long as the outage.
  await context.setOffline(true);
  await page.locator("[role=alert]:visible").waitFor();
  seen.offline = { said: await page.locator("[role=alert]").textContent(), state: (await see(page)).state };
  await context.setOffline(false);
  await page.locator("[role=alert]").waitFor({ state: "hidden" });
  await page.keyboard.press("3");
  await until(page, "(video) => video.currentTime > 12.5 && video.currentTime < 20");

  // A link to the download plays as well.
  const file = await open(context, other);
  await ready(file.page);
  await file.page.evaluate(() => (document.querySelector("video").muted = true));
  await file.page.keyboard.press("k");
  await until(file.page, "(video) => video.currentTime > 1");
  seen.file = (await see(file.page)).videoHeight;
  return { ...seen, errors: [...errors, ...file.errors] };
}

/** A preview that plays to its end. */
async function preview(context) {
  const { page } = await open(context);
  await until(page, "(video) => video.readyState > 2");
  const ended = page.evaluate(
    () => new Promise((resolve) => document.addEventListener("lectern:ended", ({ detail }) => resolve(detail.preview), { once: true })),
  );
  await page.evaluate(() => (document.querySelector("video").muted = true));
  await page.keyboard.press("k");
  // A page with the element of its own gives a way to the course.
  const course = page.getByRole("link", { name: "Open the course" });
  await page.evaluate(() => {
    const link = Object.assign(document.createElement("a"), { slot: "course", href: "/courses/" });
    link.textContent = "Open the course";
    document.querySelector("lectern-video").append(link);
  });
  const isEarly = await course.isVisible();
  const seen = { preview: await ended };
  await page.locator("lectern-video .card").waitFor();
  seen.course = [isEarly, await course.isVisible()];
  Object.assign(seen, { title: await text(page, ".card .title"), advice: await text(page, ".advice") });
  await picture(page, "preview");
  await page.getByRole("button", { name: "Watch again" }).click();
  await until(page, "(video) => !video.paused && video.currentTime > 0.2");
  return { ...seen, again: (await see(page)).state === "playing" };
}

/** A page of another site with the documented iframe, on a phone, which gets messages and seeks. */
async function embed(context) {
  const guide = await readFile(new URL("../../docs/embed.md", import.meta.url), "utf8");
  const [snippet] = /<iframe src="https:\/\/video\.school\.example\/_lectern\/play#VIDEO_URL"[^>]*><\/iframe>/.exec(guide) ?? [];
  const frame = snippet.replace("https://video.school.example", origin).replace("VIDEO_URL", link.replaceAll("&", "&amp;"));
  const react = await reactPage(guide);
  let renewals = 0;
  const server = createServer((request, response) => {
    if (request.url === "/link") {
      renewals += 1;
      response.setHeader("content-type", "application/json");
      return response.end(JSON.stringify({ link }));
    }
    response.setHeader("content-type", "text/html");
    if (request.url === "/react") {
      return response.end(`<!doctype html><html lang=en><title>A course</title><main></main><script type=module>${react}</script>`);
    }
    if (request.url === "/two") {
      const source = link.replaceAll("&", "&amp;");
      return response.end(`<!doctype html><html lang=en><title>A course</title><h1>A course</h1>
        <script type=module src="${origin}/_lectern/element.js"></script>
        ${["fr", "de"].map((lang) => `<lectern-video src="${source}" lang="${lang}" style="width:640px"></lectern-video>`).join("")}`);
    }
    if (request.url === "/element") {
      const expired = link.replace(/token=[^&]*/, `token=${other}`).replaceAll("&", "&amp;");
      return response.end(`<!doctype html><html lang=en><title>A course</title><h1>A course</h1>
        <script type=module src="${origin}/_lectern/element.js"></script>
        <lectern-video src="${expired}" renew-url="/link" start="0:12" lang="fr"></lectern-video>`);
    }
    response.end(`<!doctype html><html lang=en><meta name=viewport content="width=device-width"><title>A course</title>
      <main><h1>A course</h1>${frame}</main><script>
      window.messages = []; addEventListener("message", ({ data, origin }) => messages.push({ ...data, origin }));</script>`);
  });
  await new Promise((listening) => server.listen(0, "localhost", listening));
  const page = await context.newPage();
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`http://localhost:${server.address().port}/`);
  const inside = page.frameLocator("iframe");
  await inside.locator("video").evaluate((video) => (video.muted = true));
  await inside.locator("lectern-video .start").click();
  const heard = (type, condition = "true") =>
    page.waitForFunction(`messages.find((message) => message.type === "${type}" && ${condition})`).then((message) => message.jsonValue());
  const ready = await heard("lectern:ready");
  await heard("lectern:play");
  await heard("lectern:progress");
  await page.evaluate((edge) => document.querySelector("iframe").contentWindow.postMessage({ type: "lectern:seek", seconds: 37 }, edge), origin);
  const progress = await heard("lectern:progress", "message.currentTime > 36");
  const ended = await heard("lectern:ended");
  const size = await page.locator("iframe").boundingBox();
  const scrolls = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  await picture(page, "phone");
  const violations = await axe(page);
  // The element in the school's own page, with a link that has expired.
  await page.goto(`http://localhost:${server.address().port}/element`);
  await page.locator("lectern-video .start").waitFor();
  const played = page.evaluate(
    () => new Promise((resolve) => document.addEventListener("lectern:play", ({ detail }) => resolve(detail.currentTime), { once: true })),
  );
  await page.evaluate(() => (document.querySelector("video").muted = true));
  await page.getByRole("button", { name: "Lire" }).first().click();
  const element = { start: Math.round(await played), renewals };
  // Two languages on one page stay apart, also after the library has said something in each.
  await page.goto(`http://localhost:${server.address().port}/two`);
  await page.waitForFunction(() => [...document.querySelectorAll("lectern-video")].every((player) => player.shadowRoot.querySelector(".bar")));
  const labels = () => page.evaluate(() => [...document.querySelectorAll("lectern-video")].map((player) => player.shadowRoot.querySelector("lectern-mute").getAttribute("aria-label")));
  const languages = [await labels()];
  await page.evaluate(() => [...document.querySelectorAll("video")].forEach((video) => (video.muted = true)));
  await page.waitForFunction(() => [...document.querySelectorAll("lectern-video")].every((player) => player.shadowRoot.querySelector("lectern-mute").getAttribute("mediavolumelevel") === "off"));
  languages.push(await labels());
  // The component of the guide, in React.
  await page.goto(`http://localhost:${server.address().port}/react`);
  await page.waitForFunction(() => document.querySelector("video")?.readyState > 2);
  await page.evaluate(() => {
    const player = document.querySelector("lectern-video");
    player.video.muted = true;
    player.seek(38);
    return player.video.play();
  });
  const inReact = await page.waitForFunction(() => window.ended).then((ended) => ended.jsonValue());
  server.close();
  server.closeAllConnections();
  return { element, languages, react: inReact.preview, origins: [ready.origin === origin, progress.origin === origin], preview: ended.preview, ratio: size.width / size.height, scrolls, violations };
}

/** The script of a page with the component that the guide shows. */
async function reactPage(guide) {
  const [, component] = /^```jsx\n([\s\S]*?)^```$/m.exec(guide) ?? [];
  const contents = `import { createRoot } from "react-dom/client";
    ${component.replace("https://video.school.example", origin)}
    const props = { link: ${JSON.stringify(link)}, renewUrl: "/link", onEnded: (detail) => (window.ended = detail) };
    createRoot(document.querySelector("main")).render(<Lecture {...props} />);`;
  const stdin = { contents, loader: "jsx", resolveDir: import.meta.dirname };
  const define = { "process.env.NODE_ENV": '"production"' };
  const built = await build({ stdin, bundle: true, format: "esm", jsx: "automatic", define, minify: true, write: false });
  return built.outputFiles[0].text.replaceAll("</script", "<\\/script");
}

async function axe(page) {
  const source = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
  const found = [];
  for (const frame of page.frames()) {
    // Not by a `<script>`, which the page's policy forbids.
    await frame.evaluate(source);
    const { violations } = await frame.evaluate(() =>
      window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"], iframes: false }),
    );
    for (const { id, nodes } of violations) found.push(`${id}: ${nodes.map(({ target, failureSummary }) => `${target.flat()} (${failureSummary})`).join("; ")}`);
  }
  return found;
}

/** Every panel and a card, on a phone and a desktop, in three colour schemes. */
async function accessibility(context) {
  const violations = [];
  const small = [];
  let looked = 0;
  const { page, errors } = await open(context);
  await ready(page);
  await controls(page);
  const all = [{ colorScheme: "light" }, { colorScheme: "dark" }, { forcedColors: "active" }];
  // The last two are a zoom of 200 % and of 400 %.
  for (const [width, height, schemes] of [[1280, 720, all], [390, 700, all], [640, 360, all.slice(1)], [320, 180, all.slice(1, 2)]]) {
    await page.setViewportSize({ width, height });
    for (const media of schemes) {
      await page.emulateMedia({ colorScheme: null, forcedColors: null, ...media });
      for (const panel of ["none", "settings", "chapters", "transcript", "notes", "keyboard", "more", "card"]) {
        const where = `${width} ${Object.values(media)[0]} ${panel}`;
        await page.evaluate((panel) => {
          const player = document.querySelector("lectern-video");
          const button = player.shadowRoot.querySelector(`.button.${panel}`);
          if (panel === "card") player.refuse({ code: "expired" });
          else if (!button?.classList.contains("away") || panel !== "more") button?.click();
          if (panel === "settings") player.shadowRoot.querySelector("details").open = true;
        }, panel);
        // Transitions end.
        await page.waitForTimeout(300);
        violations.push(...(await axe(page)).map((violation) => `${where}: ${violation}`));
        await picture(page, `axe ${where}`);
        small.push(...(await page.evaluate(smallTargets)).map((target) => `${where}: ${target}`));
        looked += 1;
        if (panel === "card") {
          await page.locator("lectern-video .retry").click();
          await ready(page);
          await page.locator("lectern-video .card").waitFor({ state: "hidden" });
          await page.evaluate(() => document.querySelector("video").pause());
        } else await page.keyboard.press("Escape");
      }
    }
  }
  return { looked, violations, small, errors };
}

/**
 * Random keys, clicks and outages, fifty a second for SECONDS seconds, by SEED. They end with a lecture that plays or pauses, or
 * with a card. Afterwards, the player obeys.
 */
async function monkey(context) {
  const { page, errors } = await open(context);
  await ready(page);
  await controls(page);
  // A multiplicative generator, so that a seed repeats a run.
  let state = Number(process.env.SEED ?? 1);
  const random = (count) => (state = (state * 48_271) % 2_147_483_647) % count;
  const keys = [" ", "k", "j", "l", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "<", ">", "m", "c", "f", "p", "n", "t", "?", "Home", "End", "0", "3", "7", "9", "Tab", "Shift+Tab", "Enter", "Escape"];
  const seconds = Number(process.env.SECONDS ?? 20);
  const began = Date.now();
  const act = () => {
    const dice = random(100);
    if (dice < 80) return page.keyboard.press(keys[random(keys.length)]);
    if (dice < 98) return page.mouse.click(random(1280), random(720));
    return context.setOffline(dice === 98);
  };
  let actions = 0;
  while (Date.now() < began + 1000 * seconds) {
    // Ten at once, as fast as the browser takes them, and no faster than fifty a second.
    await Promise.all(Array.from({ length: 10 }, act));
    actions += 10;
    await page.waitForTimeout(Math.max(0, began + 20 * actions - Date.now()));
  }
  await context.setOffline(false);
  const rests = "() => /^(playing|paused|ended)$/.test(document.querySelector('lectern-video').getAttribute('state')) || document.querySelector('lectern-video').shadowRoot.querySelector('.card').checkVisibility()";
  await until(page, rests);
  const rest = (await see(page)).state;
  for (let at = 0; at < 2; at += 1) await page.keyboard.press("Escape");
  const retry = page.locator("lectern-video .retry:visible");
  if (await retry.count()) await retry.click();
  await page.evaluate(() => {
    document.activeElement?.blur();
    if (document.fullscreenElement) document.exitFullscreen();
    document.querySelector("video").pause();
  });
  await page.keyboard.press("0");
  await page.keyboard.press("k");
  await until(page, "(video) => !video.paused && video.currentTime > 1 && video.currentTime < 20");
  return { actions, rest, state: (await see(page)).state, errors };
}

/** In the page: controls that are smaller than 24 by 24 pixels. */
function smallTargets() {
  const controls = document.querySelector("lectern-video").shadowRoot.querySelectorAll("button, label:not(.note-form label), input:not([type=radio]), select, textarea, summary, .row > *[role=button]");
  return [...controls]
    .filter((control) => control.checkVisibility())
    .filter((control) => Math.min(control.getBoundingClientRect().width, control.getBoundingClientRect().height) < 24)
    .map((control) => control.className || control.localName);
}

const parts = { use, tools, trouble, preview, embed, axe: accessibility, monkey };
await withChromium(async (context) => {
  context.setDefaultTimeout(LIMIT_MS);
  console.log(JSON.stringify(await parts[part](context)));
});
