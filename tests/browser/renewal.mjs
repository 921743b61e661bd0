// Plays a lecture with short passes in the player page in Chromium, through what happens to
// viewers.
//   node renewal.mjs ORIGIN LINK STEP…
// A step is `pause:SECONDS`, `freeze:SECONDS` (the renderer stops), `offline:SECONDS`, `reload` or
// `seek:TO`. Then the lecture plays to its end. With LECTERN, the command that mints links, the
// page is embedded in a course's page: LINK is then the lecture's URL, and the course gives links
// that last for LINK_SECONDS, as long as their passes. Prints what happened as one JSON object.
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { SMALL_WINDOW, withChromium } from "./chromium.mjs";
import { renderers } from "./processes.mjs";

const [origin, link, ...steps] = process.argv.slice(2);
const { LECTERN, LINK_SECONDS } = process.env;
const run = promisify(execFile);

/** The course: a page that embeds the player, and new links. */
async function course() {
  const seen = { links: 0 };
  const mint = async () => {
    seen.links += 1;
    const { stdout } = await run(LECTERN, [
      "link",
      link,
      "--for",
      `${LINK_SECONDS}s`,
      "--watch",
      `${LINK_SECONDS}s`,
      "--origin",
      seen.origin,
    ]);
    return stdout.trim();
  };
  const server = createServer(async (request, response) => {
    if (request.url === "/link") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ link: await mint() }));
    } else {
      response.setHeader("content-type", "text/html");
      response.end(
        `<!doctype html><title>A course</title><script src="${origin}/_lectern/embed.js"></script>
        <iframe src="${origin}/_lectern/play#${await mint()}" data-renew-url="/link"
          allow="autoplay" width=960 height=540></iframe>`,
      );
    }
  });
  await new Promise((listening) => server.listen(0, "localhost", listening));
  seen.origin = `http://localhost:${server.address().port}`;
  return { seen, server };
}

const school = LECTERN ? await course() : undefined;
await withChromium(async (context) => {
  const page = await context.newPage();
  const requests = [];
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (response.url().startsWith(origin)) {
      requests.push({ path: url.pathname, status: response.status(), at: Date.now() });
    }
  });
  await page.goto(school?.seen.origin ?? `${origin}/_lectern/play#${link.replace(origin, "")}`);
  const player = async () => {
    for (;;) {
      const frame = page.frames().find((frame) =>
        frame.url().startsWith(`${origin}/_lectern/play`)
      );
      if (frame && (await frame.$("video"))) return frame;
      await page.waitForTimeout(50);
    }
  };
  let frame = await player();
  // Slow enough that the player does not load the whole lecture at once.
  const slow = {
    offline: false,
    latency: 20,
    downloadThroughput: 60_000,
    uploadThroughput: 60_000,
  };
  const line = await context.newCDPSession(page);
  await line.send("Network.enable");
  await line.send("Network.emulateNetworkConditions", slow);
  const frameLine = frame === page.mainFrame()
    ? undefined
    : await context.newCDPSession(frame).catch(() => undefined);
  await frameLine?.send("Network.enable");
  const network = async (conditions) => {
    await line.send("Network.emulateNetworkConditions", conditions);
    await frameLine?.send("Network.emulateNetworkConditions", conditions);
  };
  await network(slow);

  /** In the page: plays, and takes notice of waits, captions and sentences. */
  const start = () =>
    frame.evaluate(() => {
      const video = document.querySelector("video");
      const alert = document.querySelector("[role=alert]");
      window.seen = { waits: [], said: [], cues: 0 };
      let since;
      let isSought = true;
      video.addEventListener("seeking", () => (isSought = true));
      video.addEventListener("waiting", () => (since = performance.now()));
      video.addEventListener("playing", () => {
        if (since !== undefined && !isSought) {
          window.seen.waits.push(Math.round(performance.now() - since));
        }
        since = undefined;
        isSought = false;
      });
      // The card of a slow connection depends on the machine.
      const isSlow = () => alert.closest("lectern-video").getAttribute("state") === "slow";
      new MutationObserver(() =>
        alert.hidden || isSlow() || window.seen.said.push(alert.textContent)
      ).observe(alert, { attributes: true });
      setInterval(() => {
        for (const track of video.textTracks) {
          if (track.kind !== "subtitles") continue;
          track.mode = "showing";
          if (track.activeCues?.length) window.seen.cues = Math.round(video.currentTime);
        }
      }, 200);
      window.ended = new Promise((resolve) => video.addEventListener("ended", resolve));
      video.muted = true;
      // A source that changes meanwhile rejects it, and the player goes on by itself.
      return video.play().catch(() => {});
    });
  const reaches = (seconds) =>
    frame.waitForFunction(
      (seconds) => document.querySelector("video").currentTime > seconds,
      seconds,
      { timeout: 0 },
    );
  const act = {
    async pause(seconds) {
      await frame.evaluate(() => document.querySelector("video").pause());
      await page.waitForTimeout(seconds * 1000);
      await frame.evaluate(() => document.querySelector("video").play());
    },
    async freeze(seconds) {
      const stopped = renderers();
      for (const pid of stopped) process.kill(pid, "SIGSTOP");
      await page.waitForTimeout(seconds * 1000);
      for (const pid of stopped) process.kill(pid, "SIGCONT");
    },
    async offline(seconds) {
      await network({ ...slow, offline: true });
      await page.waitForTimeout(seconds * 1000);
      await network(slow);
    },
    async reload() {
      await page.reload();
      frame = await player();
      await start();
      await reaches(2);
    },
    async seek(to) {
      await frame.evaluate((to) => (document.querySelector("video").currentTime = to), to);
      await reaches(to + 0.5);
    },
  };
  await start();
  await reaches(4);
  // The page says in words why it does not go on.
  const stopped = frame.waitForFunction(
    () => document.querySelector("lectern-video").getAttribute("state") === "refused",
    undefined,
    { timeout: 0 },
  );
  stopped.catch(() => {});
  const play = async () => {
    for (const step of steps) {
      const [name, value] = step.split(":");
      await act[name](Number(value));
    }
    await frame.evaluate(() => window.ended);
  };
  await Promise.race([stopped, play()]);
  const state = await frame.evaluate(() => {
    const { ended, currentTime, duration } = document.querySelector("video");
    return { ended, currentTime, duration, ...window.seen };
  });
  const media = requests.filter(({ path }) => !path.startsWith("/_lectern/"));
  const segments = media.map(({ path }) => path).filter((path) => path.endsWith(".m4s"));
  console.log(
    JSON.stringify({
      ...state,
      links: school?.seen.links,
      refused: media.filter(({ status }) => status >= 300).map(({ path, status }) =>
        `${status} ${path}`
      ),
      twice: segments.filter((path, at) => segments.indexOf(path) !== at),
      steered: requests.filter(({ path }) => path.startsWith("/_lectern/steering/")).length,
      openings: media.filter(({ path }) => path.endsWith("master.m3u8")).length,
    }),
  );
}, SMALL_WINDOW);
school?.server.close();
school?.server.closeAllConnections();
