// Uses notes, transcript, download, silences, styles and the watermark of the player page.
//   node player-tools.mjs tools ORIGIN LINK
// LINK has the use `download`.
import { readFile } from "node:fs/promises";
import {
  controls,
  focused,
  link,
  named,
  notice,
  open,
  picture,
  ready,
  runPart,
  see,
  text,
  until,
} from "./player-page.mjs";

async function tools(context) {
  const seen = {};
  // Silences and captions of this test: a cue each second, where the package has one in three.
  await context.route(/\/master\.m3u8/, async (route) => {
    const response = await route.fetch();
    const data = (id, uri, more = "") =>
      `#EXT-X-SESSION-DATA:DATA-ID="lectern.${id}",URI="${uri}",FORMAT=RAW${more}\n`;
    const listed = [
      data("silences", "silences.json"),
      ...["en", "fr"].map((language) =>
        data("captions", `whole-${language}.vtt`, `,LANGUAGE="${language}"`)
      ),
    ];
    const playlist = (await response.text()).replace(/^.*"lectern\.captions".*\n/gm, "");
    await route.fulfill({ response, body: `${playlist.trimEnd()}\n${listed.join("")}` });
  });
  await context.route(/\/silences\.json/, (route) => route.fulfill({ json: [[6, 14]] }));
  await context.route(/\/whole-\w+\.vtt/, (route) => {
    const word = route.request().url().includes("whole-fr") ? "Seconde" : "Second";
    const two = (second) => String(second).padStart(2, "0");
    const cues = Array.from(
      { length: 40 },
      (_, at) => `00:${two(at)}.100 --> 00:${two(at)}.900\n<i>${word}</i> ${at}.\n\n`,
    );
    return route.fulfill({ contentType: "text/vtt", body: `WEBVTT\n\n${cues.join("")}` });
  });
  const { page, errors } = await open(context);
  await ready(page);
  await controls(page);
  const second = () => page.evaluate(() => document.querySelector("video").currentTime);
  const seek = async (to) => {
    await page.evaluate((to) => (document.querySelector("video").currentTime = to), to);
    await until(
      page,
      "(video, to) => !video.seeking && Math.abs(video.currentTime - to) < 0.5",
      to,
    );
  };
  const play = (isPlaying) =>
    page.evaluate(
      (isPlaying) => document.querySelector("video")[isPlaying ? "play" : "pause"](),
      isPlaying,
    );
  const panel = page.locator("lectern-video [role=dialog]");
  await page.evaluate(() => (document.querySelector("video").muted = true));
  seen.title = [await page.title(), await page.locator("h1").textContent()];

  // Notes at seconds of the lecture: written, edited, deleted, brought back, kept and exported.
  const notes = () =>
    panel.locator(".notes li").evaluateAll((items) =>
      items.map((
        item,
      ) => [item.querySelector(".time").textContent, item.querySelector("p")?.textContent])
    );
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
  await page.evaluate(() =>
    document.querySelector("lectern-video").shadowRoot.querySelector("lectern-time-range")
      .shadowRoot.querySelector("input").focus()
  );
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
  seen.lowData = [
    await page.evaluate(() => document.querySelector("lectern-video").engine.choices.lowData),
  ];
  await picture(page, "switches");
  await saver.uncheck();
  seen.lowData.push(
    await page.evaluate(() => document.querySelector("lectern-video").engine.choices.lowData),
  );
  await page.keyboard.press("Escape");
  await play(true);
  await notice(page, "Skipped");
  await play(false);
  seen.skipped = (await second()) > 12;

  // Captions have the viewer's style, also after a reload. Outside the page, the browser draws
  // them.
  await named(page, "settings").click();
  await panel.getByText("Caption style").click();
  for (const choice of ["Yellow on black", "Very large", "Top"]) {
    await panel.getByRole("radio", { name: choice, exact: true }).check();
  }
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
  seen.style = await cue.evaluate((
    cue,
  ) => [
    getComputedStyle(cue).color,
    cue.parentElement.dataset.size,
    cue.getBoundingClientRect().top < 200,
  ]);
  await picture(page, "captions");
  const modes = () =>
    page.evaluate(() =>
      [...document.querySelector("video").textTracks].filter(({ kind }) => kind === "subtitles")
        .map(({ mode }) => mode)
    );
  await page.keyboard.press("p");
  await page.waitForFunction(() =>
    document.pictureInPictureElement === document.querySelector("video")
  );
  seen.outside = [await modes(), await page.locator("lectern-video .cues p").count()];
  await page.keyboard.press("p");
  await page.waitForFunction(() => !document.pictureInPictureElement);
  await cue.waitFor();
  seen.inside = await modes();
  await page.keyboard.press("c");

  // The watermark is over the picture, in full screen as well, and no screen reader says it.
  await page.evaluate(() =>
    document.querySelector("lectern-video").setAttribute("watermark", "Priya Sharma")
  );
  await page.keyboard.press("f");
  await page.waitForFunction(() => document.fullscreenElement?.localName === "lectern-video");
  const watermark = page.locator("lectern-video .watermark");
  const place = () =>
    watermark.locator("span").evaluate((name) => name.getBoundingClientRect().toJSON());
  const { top, left, right, bottom } = await place();
  const contrast = await watermark.evaluate((
    element,
  ) => [
    element.textContent,
    element.getAttribute("aria-hidden"),
    getComputedStyle(element).animationName,
  ]);
  seen.watermark = [...contrast, top > 0 && left > 0 && right < 1280 && bottom < 720];
  await page.emulateMedia({ reducedMotion: "reduce" });
  seen.still = await watermark.locator("span").evaluate((name) =>
    getComputedStyle(name).animationName
  );
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
  seen.download = [
    new URL(download.url()).pathname.split("/").at(-1),
    download.suggestedFilename(),
  ];
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
      return [...shadowRoot.querySelectorAll(".row > *")].filter((part) => part.checkVisibility())
        .map((part) => part.getAttribute("aria-label") ?? part.localName);
    });
    const more = page.locator("lectern-video .button.more:visible");
    let listed = [];
    if (await more.count()) {
      await more.click();
      listed = await panel.locator(".more-list li").allTextContents();
      await page.keyboard.press("Escape");
    }
    const all = [...inBar, ...listed].map((name) =>
      name.toLowerCase().replace("lectern-volume-range", "volume")
    );
    const wanted = [
      "pause",
      "unmute",
      "chapters",
      "transcript",
      "notes",
      "captions",
      "download",
      "settings",
      "keyboard shortcuts",
      "full screen",
      "volume",
    ];
    seen.reachable[`${width}x${height}`] = wanted.filter((name) => !all.includes(name));
  }
  return { ...seen, errors };
}

await runPart({ tools });
