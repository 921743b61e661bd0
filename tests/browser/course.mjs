// Visits the example course app in Chromium, as a student does.
//   node course.mjs APP FOLDER        from the courses to the last frame, with an upload, a
//                                     download, every refusal, and the lectures of a teacher
//   node course.mjs APP FOLDER down   while the edge does not answer
//   node course.mjs APP FOLDER ill    while the storage of the edge of tests/faults does not
// FOLDER is for what is downloaded, and has `clip.mp4` for the teacher. LECTERN is the command. LECTERN_KEYS of the environment are the edge's. EXPIRED_PASSES
// is a JSON object of passes that are over, by the path that each is for. WIRE, as `PORT EDGE`, is
// a line to the edge that the app knows as its edge's address; it is strung for a whole visit.
// Prints what was seen as one JSON object.
import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { promisify } from "node:util";
import { link } from "../../sdk/javascript/lectern.js";
import { FAKE_DEVICES, withChromium } from "./chromium.mjs";

const [app, folder, how] = process.argv.slice(2);
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 60_000);
const RECORDING = Buffer.from("a small recording");

const said = (page) => page.locator("main [role=alert]:visible").textContent();
const embed = "iframe";

async function logIn(page, name, password) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.locator("main").getByRole("button", { name: "Log in" }).click();
}

/** Plays what the page embeds, until `enough` seconds or to its end. */
async function watch(page, enough = Infinity) {
  const asked = new Set();
  const note = (response) => {
    const height = /\/(\d+)p\/seg/.exec(response.url())?.[1];
    if (height) asked.add(Number(height));
  };
  page.on("response", note);
  const video = page.frameLocator(embed).locator("video");
  const seen = await video.evaluate(
    (video, [enough, limit]) =>
      new Promise((resolve) => {
        const tell = (how) => {
          const { currentTime, duration, videoHeight } = video;
          resolve({
            how,
            currentTime,
            duration,
            videoHeight,
            frames: video.getVideoPlaybackQuality().totalVideoFrames,
          });
        };
        video.addEventListener("ended", () => tell("ended"));
        video.addEventListener("timeupdate", () => video.currentTime >= enough && tell("enough"));
        setTimeout(() => tell("timeout"), limit);
        video.muted = true;
        void video.play().catch(() => {});
      }),
    [enough === Infinity ? 1e9 : enough, LIMIT_MS],
  );
  page.off("response", note);
  return { ...seen, asked: [...asked].sort((one, other) => one - other) };
}

/** The heights that the embedded link lists. */
async function listed(page) {
  const link = new URL(await page.locator(embed).getAttribute("src")).hash.slice(1);
  const playlist = await (await fetch(link)).text();
  return [...playlist.matchAll(/^#EXT-X-STREAM-INF:.*RESOLUTION=\d+x(\d+)/gm)].map(([, height]) =>
    Number(height)
  );
}

async function submit(page, file) {
  await page.goto(`${app}/upload`);
  await page.getByLabel("Recording").setInputFiles(file);
  await page.getByRole("button", { name: "Submit" }).click();
}

/**
 * The sentence of the edge's page in the frame. On a slow machine, a slow connection's may come
 * before.
 */
const framed = (page) =>
  page.frameLocator(embed).locator("lectern-video:not([state=slow]) [role=alert]:visible")
    .textContent();

/** A connection that can break: an upload slows down and is interrupted. */
function wire() {
  const [port, edge] = process.env.WIRE.split(" ");
  const { hostname, port: behind } = new URL(edge);
  const line = { breaksAfter: Infinity };
  const server = createServer((client) => {
    const upstream = connect(Number(behind), hostname);
    let sent = 0;
    client.on("data", (bytes) => {
      upstream.write(bytes);
      if (line.breaksAfter === Infinity) return;
      sent += bytes.length;
      if (sent > line.breaksAfter) return client.resetAndDestroy();
      client.pause();
      setTimeout(() => client.resume(), 10);
    });
    upstream.pipe(client);
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    for (const socket of [client, upstream]) socket.on("error", () => socket.destroy());
  });
  server.listen(Number(port), "127.0.0.1");
  line.end = () => server.close();
  return line;
}

async function breakOff(page, line) {
  line.breaksAfter = 4 << 20;
  await submit(page, { name: "long.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(7 << 20) });
  const sentence = await said(page);
  line.breaksAfter = Infinity;
  return sentence.replace(/\d+ %/, "N %");
}

/** Submits with an expired link, as from a page that was open for too long. */
async function submitLate(page) {
  const late = async (route) => {
    const { url } = await (await route.fetch()).json();
    const over = await link(url, {
      use: "upload",
      expiresIn: 60,
      now: Math.floor(Date.now() / 1000) - 3600,
    });
    await route.fulfill({ json: { url: over } });
  };
  const isAsk = (url) => url.href === `${app}/upload`;
  await page.goto(`${app}/upload`);
  await page.route(
    isAsk,
    (route) => (route.request().method() === "POST" ? late(route) : route.continue()),
  );
  await page.getByLabel("Recording").setInputFiles({
    name: "late.mp4",
    mimeType: "video/mp4",
    buffer: RECORDING,
  });
  await page.getByRole("button", { name: "Submit" }).click();
  const sentence = await said(page);
  await page.unroute(isAsk);
  return sentence;
}

/** Watches with expired passes, as after a paused night. */
async function expireInPlay(page) {
  const passes = JSON.parse(process.env.EXPIRED_PASSES);
  const isOver = (url) => url.pathname in passes;
  await page.route(isOver, async (route) => {
    const url = new URL(route.request().url());
    url.searchParams.set("p", passes[url.pathname]);
    // What was there before the night is seen first.
    await new Promise((later) => setTimeout(later, 2500));
    // The player may have given up meanwhile.
    await route.continue({ url: url.href }).catch(() => {});
  });
  await page.goto(`${app}/lessons/rails/models`);
  const video = page.frameLocator(embed).locator("video");
  await video.evaluate((video) => {
    video.addEventListener(
      "timeupdate",
      () => (video.dataset.reached = Math.max(video.dataset.reached ?? 0, video.currentTime)),
    );
    video.muted = true;
    void video.play().catch(() => {});
  });
  const sentence = await framed(page);
  const reached = Number(await video.getAttribute("data-reached"));
  await page.unroute(isOver);
  return { sentence, reached };
}

/** Tries links until the edge limits the address. */
async function tryLinks(page) {
  await page.goto(`${app}/error-pages/forbidden`);
  const link = new URL(await page.locator(embed).getAttribute("src")).hash.slice(1);
  for (let tried = 0; tried < 400; tried += 1) {
    const { status } = await fetch(link);
    if (status === 429) break;
  }
  await page.reload();
  const sentence = await framed(page);
  // A request with a link is served all the same.
  await page.goto(`${app}/lessons/rails/models`);
  return { sentence, lesson: await watch(page, 1) };
}

/** Makes a lecture, and opens the edge's page for its teacher. Returns the lecture's page. */
async function teach(page, title, button) {
  await page.goto(`${app}/teach`);
  await page.getByLabel("Title").fill(title);
  await page.getByRole("button", { name: button }).click();
  const lecture = page.getByRole("link", { name: "Open the lecture's page" });
  return app + (await lecture.getAttribute("href"));
}

const progress = (page) => page.locator("#progress [role=status]");

/** A teacher records a lecture with the browser's camera, and a student watches meanwhile. */
async function recordLecture(context, page) {
  const address = await teach(page, "Rivers", "Record one");
  const recorder = page.frameLocator("iframe");
  await recorder.locator("#setup").waitFor();
  await recorder.locator("input[value=camera]").check({ force: true });
  await recorder.locator("#quality").selectOption("480");
  const student = await context.newPage();
  await student.goto(address);
  const before = await progress(student).textContent();
  await recorder.locator("#start").click();
  // The page finds the lecture by itself.
  await student.locator(embed).waitFor();
  const live = await progress(student).textContent();
  const { how } = await watch(student, 1);
  await recorder.locator("#stop").click();
  await recorder.locator("#done").waitFor();
  const copied = await recorder.locator("#watch-link").inputValue();
  await student.close();
  return { before, live, how, isCopied: copied === address };
}

/** A teacher submits a file. The student's page follows its packaging. */
async function submitLecture(context, page) {
  const address = await teach(page, "Lakes", "Submit a recording");
  const studio = page.frameLocator("iframe");
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    studio.getByRole("button", { name: "Choose files" }).click(),
  ]);
  await chooser.setFiles(`${folder}/clip.mp4`);
  await studio.locator(".card .state").filter({ hasText: "no news" }).waitFor();
  const student = await context.newPage();
  await student.goto(address);
  const stored = await progress(student).textContent();
  const [, edge] = process.env.WIRE.split(" ");
  const uploads = `${edge}${new URL(address).pathname}/clip`;
  const words = ["ship", `${uploads}.mp4`, uploads, "--status", "--preset", "ultrafast"];
  await promisify(execFile)(process.env.LECTERN, [...words, "--temp-dir", folder]);
  await student.locator(embed).waitFor();
  const ready = await progress(student).textContent();
  const seen = { stored, ready, how: (await watch(student)).how };
  await student.close();
  return seen;
}

async function visit(context, page, line) {
  const seen = { refused: {} };
  const { refused } = seen;

  await page.goto(app);
  seen.courses = await page.getByRole("heading").allTextContents();
  await page.getByRole("link", { name: "The life of a request" }).click();
  seen.preview = await watch(page);
  seen.previewListed = await listed(page);

  await page.getByRole("link", { name: "Birch Hill School" }).click();
  await page.getByRole("link", { name: "Models" }).click();
  refused.withoutLogin = await said(page);
  await logIn(page, "ada", "wrong");
  refused.wrongPassword = await said(page);
  await logIn(page, "ada", "full-of-lessons");
  await page.getByRole("heading", { name: "Models" }).waitFor();
  seen.lesson = await watch(page);
  seen.lessonListed = await listed(page);

  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download" }).click(),
  ]);
  await download.saveAs(`${folder}/taken-home.mp4`);
  seen.download = download.suggestedFilename();

  const [put] = await Promise.all([
    page.waitForRequest((request) => request.method() === "PUT"),
    submit(page, { name: "my talk.mp4", mimeType: "video/mp4", buffer: RECORDING }),
  ]);
  await page.getByRole("status").filter({ hasText: "was submitted" }).waitFor();
  seen.submitted = {
    path: new URL(put.url()).pathname,
    said: await page.getByRole("status").textContent(),
  };

  await submit(page, { name: "notes.pdf", mimeType: "application/pdf", buffer: RECORDING });
  refused.wrongType = await said(page);
  const large = `${folder}/large.mp4`;
  const file = await open(large, "w");
  await file.truncate((100 << 20) + 1);
  await file.close();
  await submit(page, large);
  refused.tooLarge = await said(page);
  // This edge accepts less than the school expects.
  await submit(page, { name: "larger.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(9 << 20) });
  refused.tooLargeForTheEdge = await said(page);

  refused.tooLate = await submitLate(page);
  refused.brokenOff = await breakOff(page, line);
  await submit(page, { name: "again.mp4", mimeType: "video/mp4", buffer: RECORDING });
  await page.getByRole("status").filter({ hasText: "again.mp4 was submitted" }).waitFor();

  await page.goto(`${app}/error-pages`);
  const kinds = await page.locator("main li a").evaluateAll((links) =>
    links.map((link) => link.getAttribute("href").split("/").at(-1))
  );
  for (const kind of kinds) {
    await page.goto(`${app}/error-pages/${kind}`);
    refused[kind] = await framed(page);
  }
  seen.expiredInPlay = await expireInPlay(page);
  await page.goto(app);
  await page.getByRole("link", { name: "Background jobs" }).click();
  refused.opensLater = await said(page);

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await logIn(page, "tom", "only-trying");
  await page.getByRole("link", { name: "Models" }).click();
  seen.trialListed = await listed(page);
  seen.trial = await watch(page, 2);
  await page.getByLabel("Quality").selectOption("1080");
  await page.getByRole("button", { name: "Apply" }).click();
  refused.trialAsksForMore = await said(page);
  await page.goBack();
  await page.getByRole("link", { name: "Download" }).click();
  refused.trialDownloads = await said(page);
  await page.goto(`${app}/teach`);
  refused.teaches = await said(page);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await logIn(page, "ruth", "plenty-of-chalk");
  seen.recorded = await recordLecture(context, page);
  seen.submittedLecture = await submitLecture(context, page);
  seen.tried = await tryLinks(page);
  return seen;
}

async function visitWithoutEdge(context, page) {
  await page.goto(`${app}/lessons/rails/intro`);
  const preview = await said(page);
  await page.getByRole("link", { name: "Log in" }).first().click();
  await logIn(page, "ada", "full-of-lessons");
  await page.getByRole("link", { name: "Models" }).click();
  const lesson = await said(page);
  await page.getByRole("link", { name: "Download" }).click();
  const download = await said(page);
  await submit(page, { name: "talk.mp4", mimeType: "video/mp4", buffer: RECORDING });
  return { preview, lesson, download, upload: await said(page) };
}

/** The edge answers, but its storage does not. */
async function visitWithoutStorage(context, page) {
  await page.route(
    /\.m3u8/,
    (route) =>
      route.continue({ headers: { ...route.request().headers(), "x-faults": "get:error" } }),
  );
  await page.goto(`${app}/lessons/rails/intro`);
  const preview = await framed(page);
  await page.unroute(/\.m3u8/);
  await page.reload();
  return { preview, after: await watch(page, 1) };
}

const visits = { down: visitWithoutEdge, ill: visitWithoutStorage };

async function run(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on(
    "console",
    (message) => /Content Security Policy/.test(message.text()) && errors.push(message.text()),
  );
  const line = process.env.WIRE && wire();
  const seen = await (visits[how] ?? visit)(context, page, line);
  line?.end();
  console.log(JSON.stringify({ ...seen, errors }));
}

await withChromium(run, undefined, undefined, FAKE_DEVICES);
