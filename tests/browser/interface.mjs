// Uses the player's interface in Chromium where a fault was found before.
//   node interface.mjs notes ORIGIN LINK
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

const parts = { notes };
await withChromium(async (context) => {
  context.setDefaultTimeout(60_000);
  console.log(JSON.stringify(await parts[part](context)));
});
