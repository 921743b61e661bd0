// Looks at the player page with axe-core, on a phone and a desktop, in light, dark and forced
// colours.
//   node player-axe.mjs panels|states ORIGIN LINK [PREVIEW]
// For `states`, LINK lets a viewer keep the lecture, and PREVIEW shows its first seconds.
// Each panel and each state is looked at in each size and each scheme, in pairs. EVERY_LOOK=1 looks
// at every combination.
import { axe, smallTargets } from "./axe.mjs";
import { controls, notice, open, other, picture, ready, runPart, until } from "./player-page.mjs";

const SCHEMES = [{ colorScheme: "light" }, { colorScheme: "dark" }, { forcedColors: "active" }];
const DESKTOP = [1280, 720];
const PHONE = [390, 700];
const ZOOMED_TWICE = [640, 360];
const ZOOMED_FOUR_TIMES = [320, 180];
const EVERY_LOOK = process.env.EVERY_LOOK === "1";
/** Sizes with their schemes, for panels and for states. */
const PANEL_LOOKS = EVERY_LOOK
  ? [[DESKTOP, SCHEMES], [PHONE, SCHEMES], [ZOOMED_TWICE, SCHEMES.slice(1)], [
    ZOOMED_FOUR_TIMES,
    SCHEMES.slice(1, 2),
  ]]
  : [[DESKTOP, SCHEMES.slice(0, 1)], [PHONE, SCHEMES.slice(1, 2)], [
    ZOOMED_TWICE,
    SCHEMES.slice(2),
  ]];
const STATE_LOOKS = EVERY_LOOK
  ? [[DESKTOP, SCHEMES], [PHONE, SCHEMES]]
  : [[DESKTOP, SCHEMES.slice(0, 1)], [PHONE, SCHEMES.slice(1, 2)]];
const PANELS = ["none", "settings", "chapters", "transcript", "notes", "keyboard", "more", "card"];

/** Findings, and a function that looks for more. */
function startLooking() {
  const seen = { looked: 0, violations: [], small: [] };
  const look = async (page, where) => {
    // Transitions end.
    await page.waitForTimeout(300);
    seen.violations.push(...(await axe(page)).map((violation) => `${where}: ${violation}`));
    seen.small.push(...(await smallTargets(page)).map((target) => `${where}: ${target}`));
    seen.looked += 1;
    await picture(page, `axe ${where}`);
  };
  return { seen, look };
}

async function show(page, [width, height], media) {
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: null, forcedColors: null, ...media });
  return `${width} ${Object.values(media)[0]}`;
}

/** Every panel and a card. */
async function panels(context) {
  const { seen, look } = startLooking();
  const { page, errors } = await open(context);
  await ready(page);
  await controls(page);
  for (const [size, schemes] of PANEL_LOOKS) {
    for (const media of schemes) {
      const where = await show(page, size, media);
      for (const panel of PANELS) {
        await page.evaluate((panel) => {
          const player = document.querySelector("lectern-video");
          const button = player.shadowRoot.querySelector(`.button.${panel}`);
          if (panel === "card") player.refuse({ code: "expired" });
          else if (!button?.classList.contains("away") || panel !== "more") button?.click();
          if (panel === "settings") player.shadowRoot.querySelector("details").open = true;
        }, panel);
        await look(page, `${where} ${panel}`);
        if (panel === "card") {
          await page.locator("lectern-video .retry").click();
          await ready(page);
          await page.locator("lectern-video .card").waitFor({ state: "hidden" });
          await page.evaluate(() => document.querySelector("video").pause());
        } else await page.keyboard.press("Escape");
      }
    }
  }
  return { ...seen, errors };
}

/** Notices, cards over a lecture that goes on by itself, a preview's end, and the keep panel. */
async function states(context) {
  const { seen, look } = startLooking();
  const lookAt = async (page, state, selector) => {
    const part = page.locator(`lectern-video ${selector}`);
    for (const [size, schemes] of STATE_LOOKS) {
      for (const media of schemes) {
        await part.waitFor();
        await look(page, `${await show(page, size, media)} ${state}`);
        if (!(await part.isVisible())) throw new Error(`${state} went away`);
      }
    }
  };
  const seek = (page, second) =>
    page.evaluate((to) => (document.querySelector("video").currentTime = to), second);

  // Notices stay as long as the looks take.
  await context.addInitScript(() => {
    const { setTimeout } = window;
    const notices = [2_500, 10_000];
    window.setTimeout = (run, delay, ...more) =>
      notices.includes(delay) ? 0 : setTimeout(run, delay, ...more);
  });
  const resumed = await open(context);
  const { page } = resumed;
  await ready(page);
  await seek(page, 20);
  await until(page, "(video) => !video.seeking && video.currentTime > 19");
  await page.reload();
  await ready(page);
  await controls(page);
  await notice(page, "Resumed at");
  await lookAt(page, "resumed", ".notice button");
  await page.evaluate(() => {
    const player = document.querySelector("lectern-video");
    player.notice(player.texts.skipped);
  });
  await lookAt(page, "skipped", ".notice:not(:empty)");

  // A line that carries nothing, and then none.
  await page.close();
  await context.route(/\/seg0000[4-9]\.m4s/, () => {});
  const stuck = await open(context, undefined, "?t=0");
  await ready(stuck.page);
  await controls(stuck.page);
  await stuck.page.evaluate(() => {
    const video = document.querySelector("video");
    video.muted = true;
    void video.play();
  });
  await seek(stuck.page, 30);
  await lookAt(stuck.page, "slow", ".card.small .retry");
  await context.setOffline(true);
  await lookAt(stuck.page, "offline", ".card:not(.small) .retry");
  await stuck.page.evaluate(() => document.querySelector("video").pause());
  await seek(stuck.page, 1);
  await lookAt(stuck.page, "offline, playing", ".card.small .retry");
  await context.setOffline(false);
  await context.unroute(/\/seg0000[4-9]\.m4s/);
  await stuck.page.close();

  const ended = await open(context, other);
  await until(ended.page, "(video) => video.readyState > 2");
  await controls(ended.page);
  await ended.page.evaluate(() => {
    const player = document.querySelector("lectern-video");
    const link = Object.assign(document.createElement("a"), { slot: "course", href: "/courses/" });
    link.textContent = "Open the course";
    player.append(link);
    player.video.muted = true;
    void player.video.play();
  });
  await lookAt(ended.page, "preview", ".card .title:not(:empty)");
  await ended.page.close();

  const keeping = await open(context);
  await ready(keeping.page);
  await controls(keeping.page);
  await keeping.page.locator("lectern-video .button.keep").click();
  const panel = keeping.page.locator("lectern-video [role=dialog]");
  await lookAt(keeping.page, "keep", ".keep-body .chips");
  await panel.getByRole("button", { name: "Keep on this device" }).click();
  await panel.getByText("This lecture is on this device").waitFor();
  await lookAt(keeping.page, "kept", ".keep-body .quiet");
  return { ...seen, errors: [resumed, stuck, ended, keeping].flatMap(({ errors }) => errors) };
}

await runPart({ panels, states });
