// The player page: `/_lectern/play#/courses/…/master.m3u8?token=…`. The link is in the fragment,
// which browsers never send, so that no server log contains it.
import Hls, { type ErrorData, type LoaderCallbacks, type LoaderConfiguration, type LoaderContext } from "hls.js";
import { Renewal } from "./renewal";

const video = document.querySelector("video")!;
const alert = document.querySelector<HTMLElement>("[role=alert]")!;

/** The number of network errors to recover from before the page shows one. */
const MAX_RECOVERIES = 6;

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

/** The link of the fragment. */
function link(): URL | undefined {
  try {
    return location.hash.length > 1 ? new URL(location.hash.slice(1), location.origin) : undefined;
  } catch {
    return undefined;
  }
}

let renewal: Renewal | undefined;

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
async function remembered(link: URL): Promise<string | undefined> {
  try {
    const session = sessionStorage.getItem(SESSION) ?? undefined;
    if (!session) return undefined;
    const answer = await fetch(new Renewal(link, session).opening(), { method: "HEAD", cache: "no-store" });
    return answer.ok ? session : undefined;
  } catch {
    return undefined;
  }
}

const UNPLAYABLE = "This lecture cannot be played in this browser.";
const NO_CONNECTION = "There is no connection. Try again in a moment.";
const FOREIGN_LINK = "This link leads to another site. This page plays lectures of its own site only.";
const FOREIGN_FILE = "This lecture has files on another site. This page loads files of its own site only.";

/** Returns the reason why a URL does not open: the edge's sentence, or `otherwise` if it does open. */
async function reason(url: URL, otherwise: string): Promise<string> {
  try {
    const answer = await fetch(url, { cache: "no-store" });
    if (answer.ok) return otherwise;
    const problem: { title?: string } = await answer.json();
    return problem.title ?? "This lecture cannot be opened.";
  } catch {
    return NO_CONNECTION;
  }
}

async function play(url: URL): Promise<void> {
  // hls.js comes first: Chrome answers "maybe" to native HLS, and plays it worse.
  if (Hls.isSupported()) {
    // Measured on slow networks: the lowest rung starts in 2 s, the middle one in 12 s.
    // `renewal` renews passes, and keeps captions, which a clone of Content Steering loses.
    const hls = new Hls({ startLevel: 0, capLevelToPlayerSize: true, loader: EdgeLoader, contentSteeringController: undefined });
    const passes = new Renewal(url, await remembered(url));
    renewal = passes;
    let recoveries = 0;
    let opened = false;
    hls.on(Hls.Events.MANIFEST_PARSED, () => (opened = true));
    hls.on(Hls.Events.FRAG_BUFFERED, () => (recoveries = 0));
    hls.on(Hls.Events.ERROR, (_event, data: ErrorData) => {
      if (!data.fatal) return;
      const network = data.type === Hls.ErrorTypes.NETWORK_ERROR;
      const refused = data.response?.code !== undefined && data.response.code >= 400 && data.response.code < 500;
      if (network && !refused && recoveries < MAX_RECOVERIES) {
        recoveries += 1;
        // `startLoad` requests nothing before the Multivariant Playlist has loaded.
        setTimeout(() => (opened ? hls.startLoad() : hls.loadSource(passes.opening())), 1000 * recoveries);
      } else if (data.type === Hls.ErrorTypes.MEDIA_ERROR && recoveries < MAX_RECOVERIES) {
        recoveries += 1;
        hls.recoverMediaError();
      } else {
        hls.destroy();
        // The failed URL may differ from the link. The edge gives the reason.
        const failed = new URL((network && data.response?.url) || passes.opening(), url);
        const arrived = !network || data.response?.code === 200;
        if (isAllowed(failed)) void reason(failed, arrived ? UNPLAYABLE : NO_CONNECTION).then(say);
        else say(FOREIGN_FILE);
      }
    });
    hls.loadSource(passes.opening());
    hls.attachMedia(video);
  } else if (video.canPlayType("application/vnd.apple.mpegurl")) {
    video.addEventListener("error", () => void reason(url, UNPLAYABLE).then(say));
    video.src = url.href;
  } else {
    say("This browser cannot play this video. Use a current browser.");
  }
}

const url = link();
if (url === undefined) {
  say("This page needs a link: open the lecture from its course.");
} else if (!isAllowed(url)) {
  say(FOREIGN_LINK);
} else {
  void play(url);
}
addEventListener("hashchange", () => location.reload());
