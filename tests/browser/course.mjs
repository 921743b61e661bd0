// Goes through the example course app in Chromium, as its visitors do.
//   node course.mjs APP FOLDER        from the courses to the last frame, with an upload, a download and every refusal
//   node course.mjs APP FOLDER down   while the edge does not answer
// FOLDER is for what is downloaded. Prints what was seen as one JSON object.
import { open } from "node:fs/promises";
import { withChromium } from "./chromium.mjs";

const [app, folder, how] = process.argv.slice(2);
const LIMIT_MS = Number(process.env.PLAY_LIMIT_MS ?? 60_000);
const RECORDING = Buffer.from("a small recording");

const said = (page) => page.locator("main > [role=alert]:visible").textContent();
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
          resolve({ how, currentTime, duration, videoHeight, frames: video.getVideoPlaybackQuality().totalVideoFrames });
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
  return [...playlist.matchAll(/^#EXT-X-STREAM-INF:.*RESOLUTION=\d+x(\d+)/gm)].map(([, height]) => Number(height));
}

async function handIn(page, file) {
  await page.goto(`${app}/upload`);
  await page.getByLabel("Recording").setInputFiles(file);
  await page.getByRole("button", { name: "Hand in" }).click();
}

async function visit(context, page) {
  const seen = { refused: {} };
  const { refused } = seen;

  await page.goto(app);
  seen.courses = await page.getByRole("heading").allTextContents();
  await page.getByRole("link", { name: "What happens to a request" }).click();
  seen.preview = await watch(page);
  seen.previewListed = await listed(page);

  await page.getByRole("link", { name: "A school" }).click();
  await page.getByRole("link", { name: "Models" }).click();
  refused.withoutLogin = await said(page);
  await logIn(page, "ada", "wrong");
  refused.wrongPassword = await said(page);
  await logIn(page, "ada", "full-of-lessons");
  await page.getByRole("heading", { name: "Models" }).waitFor();
  seen.lesson = await watch(page);
  seen.lessonListed = await listed(page);

  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  await download.saveAs(`${folder}/taken-home.mp4`);
  seen.download = download.suggestedFilename();

  const [put] = await Promise.all([
    page.waitForRequest((request) => request.method() === "PUT"),
    handIn(page, { name: "my talk.mp4", mimeType: "video/mp4", buffer: RECORDING }),
  ]);
  await page.getByRole("status").filter({ hasText: "has arrived" }).waitFor();
  seen.handedIn = { path: new URL(put.url()).pathname, said: await page.getByRole("status").textContent() };

  await handIn(page, { name: "notes.pdf", mimeType: "application/pdf", buffer: RECORDING });
  refused.wrongType = await said(page);
  const large = `${folder}/large.mp4`;
  const file = await open(large, "w");
  await file.truncate((100 << 20) + 1);
  await file.close();
  await handIn(page, large);
  refused.tooLarge = await said(page);
  // Of this edge, which takes less than the school believes.
  await handIn(page, { name: "larger.mp4", mimeType: "video/mp4", buffer: Buffer.alloc(9 << 20) });
  refused.tooLargeForTheEdge = await said(page);

  for (const kind of ["expired", "no_variant", "forbidden"]) {
    await page.goto(`${app}/refusals/${kind}`);
    refused[kind] = await page.frameLocator(embed).getByRole("alert").textContent();
  }

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await logIn(page, "tom", "only-trying");
  await page.getByRole("link", { name: "Models" }).click();
  seen.trialListed = await listed(page);
  seen.trial = await watch(page, 2);
  await page.getByLabel("At most").selectOption("1080");
  await page.getByRole("button", { name: "Play" }).click();
  refused.trialAsksForMore = await said(page);
  await page.goBack();
  await page.getByRole("link", { name: "Download" }).click();
  refused.trialTakesHome = await said(page);
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
  await handIn(page, { name: "talk.mp4", mimeType: "video/mp4", buffer: RECORDING });
  return { preview, lesson, download, upload: await said(page) };
}

await withChromium(async (context) => {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => /Content Security Policy/.test(message.text()) && errors.push(message.text()));
  const seen = await (how === "down" ? visitWithoutEdge : visit)(context, page);
  console.log(JSON.stringify({ ...seen, errors }));
});
