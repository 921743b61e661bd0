// Opens the player page with a link in Chromium and plays it to the end (or until it says why not).
//   node play.mjs ORIGIN LINK [SCREENSHOT.png]
// Prints what happened as one JSON object. SEEK=1260,2690 (seconds) seeks to each of these once the
// first frame is there, and tells how long each took; the player then goes on to the end.
import { withChromium } from "./chromium.mjs";

const [origin, link, screenshot] = process.argv.slice(2);
await withChromium(async (context) => {
  const page = await context.newPage();
  const requests = [];
  const pending = [];
  const errors = [];
  page.on("response", (response) => {
    const url = new URL(response.url());
    if (!url.protocol.startsWith("http")) return;
    const entry = { path: url.pathname, status: response.status(), bytes: 0 };
    requests.push(entry);
    pending.push(
      response
        .body()
        .then((body) => (entry.bytes = body.length))
        .catch(() => {}),
    );
  });
  page.on("requestfailed", (request) =>
    errors.push(`${request.failure()?.errorText} ${new URL(request.url()).pathname}`),
  );
  page.on("pageerror", (error) => errors.push(String(error)));
  const opened = Date.now();
  await page.goto(`${origin}/_lectern/play#${link.replace(origin, "")}`);
  const played = await page.evaluate(
    ([limit, seeks]) =>
      new Promise((resolve) => {
        const video = document.querySelector("video");
        const alert = document.querySelector("[role=alert]");
        const started = performance.now();
        let firstFrame;
        let stalls = 0;
        const thumbnails = () =>
          [...video.textTracks].find(({ label }) => label === "thumbnails")?.cues;
        const state = (how) => ({
          how,
          firstFrame,
          stalls,
          said: alert.hidden ? null : alert.textContent,
          currentTime: video.currentTime,
          duration: video.duration,
          height: video.videoHeight,
          frames: video.getVideoPlaybackQuality().totalVideoFrames,
          dropped: video.getVideoPlaybackQuality().droppedVideoFrames,
          thumbnails: thumbnails()?.length,
          seeked,
        });
        const seeked = [];
        const seek = async () => {
          for (const to of seeks) {
            const asked = performance.now();
            video.currentTime = to;
            await new Promise((shown) => {
              const look = (_now, frame) => {
                if (frame.mediaTime >= to - 0.5) shown();
                else video.requestVideoFrameCallback(look);
              };
              video.requestVideoFrameCallback(look);
            });
            seeked.push({ to, seconds: (performance.now() - asked) / 1000 });
            await video.play().catch(() => {});
          }
        };
        video.requestVideoFrameCallback(() => {
          firstFrame = performance.now();
          void seek();
        });
        video.addEventListener("waiting", () => firstFrame && (stalls += 1));
        video.addEventListener("ended", () => resolve(state("ended")));
        video.muted = true;
        video.play().catch(() => {});
        // A slow machine may show the card of a slow connection, which goes by itself.
        const isRefused = () =>
          !alert.hidden && alert.closest("lectern-video").getAttribute("state") === "refused";
        const look = () => isRefused() && resolve(state("said"));
        new MutationObserver(look).observe(alert, { attributes: true, childList: true });
        look();
        setTimeout(() => resolve(state("timeout")), limit - (performance.now() - started));
      }),
    [
      Number(process.env.PLAY_LIMIT_MS ?? 120_000),
      (process.env.SEEK ?? "").split(",").filter(Boolean).map(Number),
    ],
  );
  await Promise.all(pending);
  if (screenshot) await page.screenshot({ path: screenshot });
  // Chromium also reports a fetch as aborted if a collection of garbage comes between the end of
  // its body and the end of its connection. The page has read it then, and has the thumbnails.
  const isRead = (error) => played.thumbnails > 0 && /ERR_ABORTED .*\/storyboard\.vtt$/.test(error);
  const media = requests.filter((request) => !request.path.startsWith("/_lectern/"));
  console.log(
    JSON.stringify({
      ...played,
      secondsToFirstFrame: played.firstFrame === undefined ? null : played.firstFrame / 1000,
      secondsInAll: (Date.now() - opened) / 1000,
      requests: media.length,
      bytes: media.reduce((sum, request) => sum + request.bytes, 0),
      refused: media.filter((request) => request.status >= 300),
      errors: errors.filter((error) => !isRead(error)),
    }),
  );
});
