// Uses the player's interface in Chromium where a fault was found before.
//   node interface.mjs notes|element|keys|watermark ORIGIN LINK
// LINK opens a lecture. Prints what was seen as JSON.
import { withChromium } from "./chromium.mjs";

const [part, origin, link] = process.argv.slice(2);

/** Opens the player page in a new tab, and waits for its controls. */
async function open(context) {
  const page = await context.newPage();
  await page.goto(`${origin}/_lectern/play#${link.replace(origin, "")}`);
  await page.locator("lectern-video .bar").waitFor();
  return page;
}

const panel = (page) => page.locator("lectern-video [role=dialog]");
const texts = (page) => panel(page).locator(".notes p").allTextContents();

async function openNotes(page) {
  await page.keyboard.press("n");
  await panel(page).getByLabel("Note at").waitFor();
}

async function write(page, text) {
  await panel(page).getByLabel("Note at").fill(text);
  await page.keyboard.press("Enter");
}

/** Two tabs, a full storage, and panels that close while the viewer writes. */
async function notes(context) {
  const seen = {};
  const [one, other] = [await open(context), await open(context)];
  await openNotes(one);
  await openNotes(other);
  await write(other, "of the other tab");
  await write(one, "of this tab");
  seen.tabs = await texts(one);

  // A refusal and an edit of another note keep what the viewer writes.
  await panel(one).getByLabel("Note at").fill("half a sen");
  await panel(one).getByRole("button", { name: "Edit" }).first().click();
  await panel(one).getByRole("textbox", { name: "Edit" }).fill("edited");
  await one.evaluate(() => document.querySelector("lectern-video").refuse({ code: "expired" }));
  await one.locator("lectern-video .retry").click();
  await one.locator("lectern-video .card").waitFor({ state: "hidden" });
  await openNotes(one);
  seen.draft = await panel(one).getByLabel("Note at").inputValue();
  await panel(one).getByRole("button", { name: "Edit" }).first().click();
  await one.keyboard.press("Enter");
  seen.edited = await texts(one);

  // Undo brings one note back, and leaves later changes.
  await panel(one).getByRole("button", { name: "Delete" }).first().click();
  await panel(one).getByRole("button", { name: "Edit" }).click();
  await panel(one).getByRole("textbox", { name: "Edit" }).fill("changed");
  await one.keyboard.press("Enter");
  await one.getByRole("button", { name: "Undo" }).click();
  seen.undone = await texts(one);

  // A note for which the browser has no room stays while the page is open.
  await one.evaluate(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  await write(one, "without room");
  await one.keyboard.press("Escape");
  await openNotes(one);
  seen.unkept = [await texts(one), await panel(one).locator(".hint").textContent()];
  return seen;
}

/** The list of keys scrolls by keys, and a switch turns characters off. */
async function keys(context) {
  const seen = {};
  const page = await open(context);
  await page.setViewportSize({ width: 640, height: 360 });
  const video = (name) => page.evaluate((name) => document.querySelector("video")[name], name);
  const before = await video("currentTime");
  await page.keyboard.press("?");
  const list = panel(page).locator("dl");
  await list.waitFor();
  const scrolled = () => list.evaluate((list) => list.closest(".body").scrollTop + list.scrollTop);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
  while ((await scrolled()) < 20) await page.waitForTimeout(50);
  seen.list = [await video("volume"), (await video("currentTime")) === before];
  await page.keyboard.press("Escape");

  const shortcuts = panel(page).getByRole("switch", { name: "Keyboard shortcuts" });
  await page.locator("lectern-video .button.settings").click();
  await shortcuts.uncheck();
  await page.keyboard.press("Escape");
  for (const key of ["m", "n", "9"]) await page.keyboard.press(key);
  seen.off = [await video("muted"), await panel(page).count()];
  await page.locator("lectern-video .button.settings").click();
  await shortcuts.check();
  await page.keyboard.press("Escape");
  await page.keyboard.press("m");
  seen.on = await video("muted");
  return seen;
}

/** A name over the video, which a small window would not show. */
async function watermark(context) {
  const page = await open(context);
  const state = () =>
    page.evaluate(() => {
      const { shadowRoot, video } = document.querySelector("lectern-video");
      const shown = shadowRoot.querySelector(".watermark").checkVisibility();
      const button = shadowRoot.querySelector("lectern-pip").checkVisibility();
      return { shown, button, isForbidden: video.disablePictureInPicture };
    });
  const mark = (name) =>
    page.evaluate((name) => {
      const player = document.querySelector("lectern-video");
      if (name) player.setAttribute("watermark", name);
      else player.removeAttribute("watermark");
    }, name);
  const seen = { without: await state() };
  await mark("Priya");
  seen.with = await state();
  await page.keyboard.press("p");
  await page.keyboard.press("?");
  seen.keys = await panel(page).getByText("Picture in picture").count();
  seen.outside = await page.evaluate(() => document.pictureInPictureElement !== null);

  // The name and the title of a link that opens nothing stay away.
  await context.route(/\/master\.m3u8/, (route) => route.fulfill({ status: 404, body: "" }));
  const claims = { watermark: "Call 555", exp: 4_000_000_000 };
  const token = `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
  const other = await context.newPage();
  await other.goto(`${origin}/_lectern/play#/Your-account-is-locked/master.m3u8?token=${token}`);
  await other.locator("[role=alert]:visible").waitFor();
  seen.refused = await other.evaluate(() => [
    document.title,
    document.querySelector("h1").textContent,
    document.querySelector("lectern-video").shadowRoot.querySelector(".watermark").hidden,
  ]);
  return seen;
}

/** An element that is cloned, removed, and loads over a line that fails once. */
async function element(context) {
  const seen = {};
  const failed = new Set();
  await context.route(/\/controls-\w+\.js$|\/storyboard\.vtt/, (route) => {
    const { pathname } = new URL(route.request().url());
    if (failed.has(pathname)) return route.continue();
    failed.add(pathname);
    return route.abort();
  });
  const page = await context.newPage();
  await page.goto(`${origin}/_lectern/play#${link.replace(origin, "")}`);
  await page.locator("video[controls]").waitFor();
  await page.evaluate(() => document.querySelector("lectern-video").refuse({ code: "expired" }));
  await page.locator("lectern-video .retry").click();
  await page.locator("lectern-video .bar").waitFor();
  seen.fallback = await page.locator("video[controls]").count();
  const range = page.locator("lectern-video lectern-time-range");
  await page.evaluate(() => document.querySelector("video").pause());
  const thumbnails = () =>
    page.evaluate(() => {
      const tracks = [...document.querySelector("video").textTracks];
      return tracks.find(({ label }) => label === "thumbnails")?.cues?.length;
    });
  // The first request fails. It is that of the first hover if the page asked for none before.
  const isLate = ![...failed].some((path) => path.endsWith("storyboard.vtt"));
  await range.hover();
  if (isLate) {
    while (failed.size < 2) await page.waitForTimeout(50);
    await page.mouse.move(0, 0);
    await page.waitForTimeout(500);
    await range.hover();
  }
  while (!(await thumbnails())) await page.waitForTimeout(50);

  // A clone has one video, as the original has.
  seen.cloned = await page.evaluate(() => {
    const original = document.querySelector("lectern-video");
    const clone = original.cloneNode(true);
    original.replaceWith(clone);
    return [clone.children.length, clone.querySelector("[slot=media]") === clone.video];
  });

  // Elements that left the page leave memory as well. The page's script holds the original.
  const cdp = await context.newCDPSession(page);
  const living = async () => {
    const expression = 'customElements.get("lectern-video").prototype';
    const { result } = await cdp.send("Runtime.evaluate", { expression });
    const { objects } = await cdp.send("Runtime.queryObjects", {
      prototypeObjectId: result.objectId,
    });
    const { result: own } = await cdp.send("Runtime.getProperties", {
      objectId: objects.objectId,
      ownProperties: true,
    });
    return own.find(({ name }) => name === "length").value.value;
  };
  await page.evaluate(async () => {
    for (let at = 0; at < 20; at += 1) {
      const player = document.createElement("lectern-video");
      document.body.append(player);
      await new Promise((resolve) => setTimeout(resolve));
      player.remove();
    }
  });
  // Two of them stay in the page's script. Garbage collection leaves a few.
  seen.isLeaking = (await living()) > 10;
  return seen;
}

const parts = { notes, element, keys, watermark };
await withChromium(async (context) => {
  context.setDefaultTimeout(300_000);
  console.log(JSON.stringify(await parts[part](context)));
});
