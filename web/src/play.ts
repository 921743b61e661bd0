// The player page: `/_lectern/play#/courses/…/master.m3u8?token=…`. The link is in the fragment,
// which browsers never send, so that no server log contains it.
import Hls, { type ErrorData, type LoaderCallbacks, type LoaderConfiguration, type LoaderContext } from "hls.js";
import { EMBEDDER_HEADER, askForLink, embedders } from "./embedding";
import { claimsOf } from "./link";
import { type Problem, Renewal, type Surroundings } from "./renewal";
import { watch } from "./watching";

const video = document.querySelector("video")!;
const alert = document.querySelector<HTMLElement>("[role=alert]")!;

/** The number of media errors to recover from before the page shows one. */
const MAX_RECOVERIES = 6;
/** The number of network errors before the page says that there is no connection. */
const SILENT_ERRORS = 3;
/** The longest wait before the page tries the network again, in milliseconds. */
const LONGEST_WAIT_MS = 5_000;

/** Shows the reason why nothing plays any more. */
function say(sentence: string): void {
  alert.textContent = sentence;
  alert.hidden = false;
  video.hidden = true;
}

/** The origins of web/origins.txt. web/build.mjs writes them here and into the Content-Security-Policy. */
declare const ORIGINS: readonly string[];

/** Origins that every file of a lecture must have. */
const allowed: ReadonlySet<string> = new Set([location.origin, ...ORIGINS]);

function isAllowed(url: URL): boolean {
  // A `blob:` URL has the origin of its page, but no server.
  return (url.protocol === "https:" || url.protocol === "http:") && allowed.has(url.origin);
}

/** Parses a link, which may be a path of this origin. */
function parseLink(text: string): URL | undefined {
  try {
    return text ? new URL(text, location.origin) : undefined;
  } catch {
    return undefined;
  }
}

/** Waits for so many milliseconds, or until the network is back. */
function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
  });
}

let renewal: Renewal | undefined;
/** Headers of requests with the link. */
let linkHeaders: Record<string, string> = {};

/** Loads with the newest passes. Refuses files on other sites with 403, without a request. */
class EdgeLoader extends Hls.DefaultConfig.loader {
  #isDropped = false;

  override load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
    const url = new URL(context.url, location.href);
    if (!isAllowed(url)) {
      queueMicrotask(() => callbacks.onError({ code: 403, text: "another site" }, context, null, this.stats));
      return;
    }
    const onSuccess: LoaderCallbacks<LoaderContext>["onSuccess"] = (response, stats, loaded, details) => {
      if (details instanceof XMLHttpRequest) {
        renewal?.loaded(url.href, response.data, { get: (name) => details.getResponseHeader(name) });
        remember(renewal?.session);
      }
      callbacks.onSuccess(response, stats, loaded, details);
    };
    const start = (): void => {
      if (this.#isDropped) return;
      context.url = renewal?.newest(url.href) ?? context.url;
      if (url.searchParams.has("token")) context.headers = { ...context.headers, ...linkHeaders };
      super.load(context, config, { ...callbacks, onSuccess });
    };
    const renewed = renewal?.fresh();
    if (renewed) void renewed.then(start);
    else start();
  }

  override abort(): void {
    this.#isDropped = true;
    super.abort();
  }

  override destroy(): void {
    this.#isDropped = true;
    super.destroy();
  }
}

/** Where this tab keeps the session of a lecture, so that a reload keeps its place. */
const SESSION = `lectern session ${location.hash.slice(1).split("?")[0]}`;

function remember(session: string | undefined): void {
  try {
    if (session) sessionStorage.setItem(SESSION, session);
  } catch {
    // Without storage, a reload takes a new place.
  }
}

/** The session that this tab had before it was reloaded, if it still has its place. */
async function remembered(link: URL, around: Surroundings): Promise<string | undefined> {
  try {
    const session = sessionStorage.getItem(SESSION) ?? undefined;
    if (!session) return undefined;
    const opening = new Renewal(link, around, session).opening();
    const answer = await fetch(opening, { method: "HEAD", cache: "no-store", headers: linkHeaders });
    return answer.ok ? session : undefined;
  } catch {
    return undefined;
  }
}

const UNPLAYABLE = "This lecture cannot be played in this browser.";
const NO_CONNECTION = "There is no connection. The lecture goes on when it is back.";
const FOREIGN_LINK = "This link leads to another site. This page plays lectures of its own site only.";
const FOREIGN_FILE = "This lecture has files on another site. This page loads files of its own site only.";
const OTHER_PAGE = "This lecture plays only inside its course. Open it there.";
const CANNOT_OPEN = "This lecture cannot be opened.";

/** Asks the edge why a URL does not open. `undefined` if it does open. */
async function problemOf(url: URL): Promise<Problem | undefined> {
  try {
    const headers = url.searchParams.has("token") ? linkHeaders : {};
    const answer = await fetch(url, { cache: "no-store", headers });
    if (answer.ok) return undefined;
    return await answer.json();
  } catch {
    return { title: NO_CONNECTION };
  }
}

/** The sentence about a refusal. A link that counts pages says where it opens. */
function sentence(problem: Problem, link: URL): string {
  if (problem.code === "forbidden" && claimsOf(link).origin) return OTHER_PAGE;
  return problem.title ?? CANNOT_OPEN;
}

/** A playing hls.js. */
interface HlsPlayer {
  /** Opens the link again and goes on at the same second. */
  reopen: () => void;
  /** Stops, and says why. */
  stop: (problem: Problem) => void;
}

function playWithHls(passes: Renewal): HlsPlayer {
  // Measured on slow networks: the lowest rung starts in 2 s, the middle one in 12 s.
  const hls = new Hls({ startLevel: 0, capLevelToPlayerSize: true, loader: EdgeLoader });
  let mediaErrors = 0;
  let networkErrors = 0;
  let isOpened = false;
  let hasAsked = false;
  const recovered = (): void => {
    networkErrors = 0;
    if (!video.hidden) alert.hidden = true;
  };
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    isOpened = true;
    hasAsked = false;
    recovered();
  });
  hls.on(Hls.Events.FRAG_BUFFERED, () => {
    mediaErrors = 0;
    recovered();
  });
  hls.on(Hls.Events.ERROR, (_event, data: ErrorData) => {
    if (data.fatal) void recover(data);
  });
  const recover = async (data: ErrorData): Promise<void> => {
    const network = data.type === Hls.ErrorTypes.NETWORK_ERROR;
    const code = data.response?.code ?? 0;
    const refused = code >= 400 && code < 500 && code !== 429;
    // The failed URL may differ from the link. The edge gives the reason.
    const failed = new URL((network && data.response?.url) || passes.opening(), passes.link);
    if (network && !refused && code !== 200) {
      networkErrors += 1;
      if (networkErrors > SILENT_ERRORS) {
        const problem = code === 0 ? undefined : await problemOf(failed);
        alert.textContent = problem?.title ?? NO_CONNECTION;
        alert.hidden = false;
      }
      await pause(Math.min(1000 * networkErrors, LONGEST_WAIT_MS));
      // `startLoad` requests nothing before the Multivariant Playlist has loaded.
      if (isOpened) hls.startLoad();
      else hls.loadSource(passes.opening());
      return;
    }
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && mediaErrors < MAX_RECOVERIES) {
      mediaErrors += 1;
      hls.recoverMediaError();
      return;
    }
    const problem = isAllowed(failed) ? (passes.refusal ?? (await problemOf(failed))) : { title: FOREIGN_FILE };
    // The course gives a new link once, before anything plays with it.
    if (problem?.code === "expired" && !hasAsked) {
      hasAsked = true;
      if (await passes.replaceLink()) return reopen();
    }
    stop(problem);
  };
  const stop = (problem?: Problem): void => {
    hls.destroy();
    say(problem ? sentence(problem, passes.link) : UNPLAYABLE);
  };
  const reopen = (): void => {
    const { currentTime, paused, playbackRate } = video;
    hls.config.startPosition = currentTime;
    hls.loadSource(passes.opening());
    video.playbackRate = playbackRate;
    if (!paused) void video.play().catch(() => {});
  };
  hls.loadSource(passes.opening());
  hls.attachMedia(video);
  return { reopen, stop };
}

async function play(url: URL): Promise<void> {
  const pages = await embedders();
  if (pages.length > 0) linkHeaders = { [EMBEDDER_HEADER]: pages.join(", ") };
  const around: Surroundings = {
    fetch: (...request) => fetch(...request),
    now: Date.now,
    headers: linkHeaders,
    pause,
    ask: pages[0] === undefined ? undefined : () => newLink(pages[0]!),
  };
  // hls.js comes first: Chrome answers "maybe" to native HLS, and plays it worse.
  if (Hls.isSupported()) {
    const passes = new Renewal(url, around, await remembered(url, around));
    renewal = passes;
    const player = playWithHls(passes);
    around.replaced = player.reopen;
    void watch(video, () => passes.opening(), linkHeaders, player.stop);
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    const refusal = async (): Promise<string> => {
      const problem = await problemOf(url);
      return problem ? sentence(problem, url) : UNPLAYABLE;
    };
    video.addEventListener("error", () => void refusal().then(say));
    video.src = await nativeSource(url);
    void watch(video, () => url.href, linkHeaders);
  } else {
    say("This browser cannot play this video. Use a current browser.");
  }
}

/** Asks the nearest page for a new link. */
async function newLink(page: string): Promise<URL | undefined> {
  const link = parseLink((await askForLink(page)) ?? "");
  return link && isAllowed(link) ? link : undefined;
}

/** The URL for a browser that plays HLS itself. It sends no header, so the page opens a link that
 * counts pages, and the browser gets a pass. */
async function nativeSource(url: URL): Promise<string> {
  if (!linkHeaders[EMBEDDER_HEADER] || !claimsOf(url).origin) return url.href;
  const opening = new URL(url);
  opening.searchParams.set("as", "directory");
  const answer = await fetch(opening, { cache: "no-store", headers: linkHeaders });
  return answer.ok ? answer.url : url.href;
}

const url = parseLink(location.hash.slice(1));
if (url === undefined) {
  say("This page needs a link: open the lecture from its course.");
} else if (!isAllowed(url)) {
  say(FOREIGN_LINK);
} else {
  void play(url);
}
addEventListener("hashchange", () => location.reload());
