// Uses the player page as a viewer does, with keys, clicks, trouble and at random.
//   node player.mjs use|trouble|preview|monkey ORIGIN LINK [OTHER]
// OTHER is a link to the lecture's `lecture.mp4`, for `trouble`.
import {
  controls,
  link,
  named,
  notice,
  open,
  other,
  picture,
  ready,
  runPart,
  see,
  text,
  until,
} from "./player-page.mjs";

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
  for (const [key, second] of Object.entries(at)) {
    await press(key, "(video, second) => Math.abs(video.currentTime - second) < 0.5", second);
  }
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
  const choose = (choice) =>
    panel.locator("label").filter({ has: page.getByText(choice, { exact: true }) }).first().click();
  seen.groups = await panel.locator("legend").allTextContents();
  seen.qualities = await panel.getByRole("group", { name: "Quality" }).locator("label")
    .allTextContents();
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
  await page.locator("lectern-video .chapter", { hasText: "Questions & answers" }).waitFor({
    state: "attached",
  });
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
  await page.waitForFunction(() =>
    document.querySelector("lectern-video").shadowRoot.querySelector("lectern-time-range")
      .hasAttribute("mediapreviewimage")
  );
  seen.preview = await range.evaluate((range) => ({
    image: new URL(range.getAttribute("mediapreviewimage")).pathname.split("/").slice(-2).join("/"),
    chapter: range.getAttribute("mediapreviewchapter"),
  }));
  await range.evaluate((range) =>
    range.shadowRoot.querySelector("media-preview-thumbnail").shadowRoot.querySelector("img")
      .decode()
  );
  // The preview fades in.
  await page.waitForTimeout(600);
  await page.evaluate(() => document.activeElement.blur());
  await picture(page, "player");
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await until(page, "(video) => Math.abs(video.currentTime - 20) < 1");
  seen.poster = await page.evaluate(() =>
    new URL(document.querySelector("video").poster).pathname.split("/").at(-1)
  );

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
  seen.again = {
    place: Math.round(currentTime),
    playbackRate,
    notice: await text(page, ".notice"),
  };
  await page.locator("lectern-video .button.captions[aria-pressed=true]").waitFor();
  await page.getByRole("button", { name: "Start over" }).click();
  await until(page, "(video) => video.currentTime < 1");

  const other = await open(context, link, "?t=0:30&lang=de");
  await ready(other.page);
  await controls(other.page);
  const label = await other.page.locator("lectern-video .button.settings").getAttribute(
    "aria-label",
  );
  seen.shared = { place: Math.round((await see(other.page)).currentTime), label };
  return { ...seen, errors: [...errors, ...other.errors] };
}

async function trouble(context) {
  const seen = {};
  // Segments beyond the first four wait, are refused, or pass.
  const late = { mode: Promise.withResolvers() };
  const problem = {
    status: 403,
    contentType: "application/problem+json",
    json: { code: "revoked", title: "This link was withdrawn." },
  };
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
    return {
      hasPicture: video.videoWidth > 0 && video.readyState > 1 && video.checkVisibility(),
      paused: video.paused,
    };
  });
  seen.refused = {
    ...covered,
    said: await page.locator("[role=alert]").textContent(),
    advice: await text(page, ".advice"),
  };
  await picture(page, "refused");
  await page.keyboard.press("k");
  await page.keyboard.press("8");
  const { state, currentTime } = await see(page);
  seen.stays = { state, isKept: currentTime > 1 && currentTime < 16 };
  late.mode = Promise.withResolvers();
  late.mode.resolve("pass");
  await page.locator("lectern-video .retry").click();
  await until(
    page,
    "(video, place) => !video.paused && video.currentTime > place && video.currentTime < place + 5",
    currentTime,
  );
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
  seen.offline = {
    said: await page.locator("[role=alert]").textContent(),
    state: (await see(page)).state,
  };
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
    () =>
      new Promise((resolve) =>
        document.addEventListener("lectern:ended", ({ detail }) => resolve(detail.preview), {
          once: true,
        })
      ),
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
  Object.assign(seen, {
    title: await text(page, ".card .title"),
    advice: await text(page, ".advice"),
  });
  await picture(page, "preview");
  await page.getByRole("button", { name: "Watch again" }).click();
  await until(page, "(video) => !video.paused && video.currentTime > 0.2");
  return { ...seen, again: (await see(page)).state === "playing" };
}

/**
 * Random keys, clicks and outages, fifty a second for SECONDS seconds, by SEED. They end with a
 * lecture that plays or pauses, or with a card. Afterwards, the player obeys.
 */
async function monkey(context) {
  const { page, errors } = await open(context);
  await ready(page);
  await controls(page);
  // A multiplicative generator, so that a seed repeats a run.
  let state = Number(process.env.SEED ?? 1);
  const random = (count) => (state = (state * 48_271) % 2_147_483_647) % count;
  const byName = "ArrowLeft ArrowRight ArrowUp ArrowDown Home End Tab Shift+Tab Enter Escape";
  const keys = [" ", ..."kjl<>mcfpnt?0379", ...byName.split(" ")];
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
  const rests = `() => {
    const player = document.querySelector("lectern-video");
    const hasCard = player.shadowRoot.querySelector(".card").checkVisibility();
    return hasCard || /^(playing|paused|ended)$/.test(player.getAttribute("state"));
  }`;
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

await runPart({ use, trouble, preview, monkey });
