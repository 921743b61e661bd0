// Loads and plays a lecture: hls.js for playlists, the browser for files and where it plays HLS
// itself. It reports events; the element decides what the viewer sees.
import Hls, {
  type ErrorData,
  type LoaderCallbacks,
  type LoaderConfiguration,
  type LoaderContext,
} from "hls.js";
import { nextStep, type Problem, reasonOf } from "./answer.ts";
import { claimsOf } from "./link.ts";
import { keepSession, session as keptSession } from "./memory.ts";
import { refusalOf } from "./refusals.ts";
import { passEnd, Renewal, type Surroundings } from "./renewal.ts";
import type { PlayerEvent, Refusal } from "./state.ts";
import { watch } from "./watching.ts";

/** The distance from which a failed load has nothing to do with the one before, in seconds. */
const ELSEWHERE_SECONDS = 10;
/** The number of media errors to recover from before the viewer sees one. */
const MAX_RECOVERIES = 6;
/** The number of network errors before the viewer hears that there is no connection. */
const SILENT_ERRORS = 3;
/** The longest wait before the next attempt, in milliseconds. */
const LONGEST_WAIT_MS = 5_000;
/** The wait for data after which the viewer hears of it, in milliseconds. */
const STALL_MS = 5_000;
/**
 * Statuses with which the edge ends a view. Other errors of a file may not concern the next one.
 */
const FINAL_STATUSES = new Set([401, 403, 410]);
/** Codes that end a view at once. A pass that has ended may be renewed first. */
const ENDS = new Set(["revoked", "too_many_sessions"]);
/** Files that are no playlists. */
const FILE = /\.(mp4|m4v|mov|webm|m4a|mp3)$/i;

/**
 * The origins of web/origins.txt. web/build.mjs writes them here and into the Content-Security-
 * Policy.
 */
declare const ORIGINS: readonly string[];

/** The edge that serves this script. */
export const EDGE = new URL(import.meta.url).origin;
/** Origins that every file of a lecture must have. */
const allowed: ReadonlySet<string> = new Set([EDGE, ...ORIGINS]);

export function isAllowed(url: URL): boolean {
  // A `blob:` URL has the origin of its page, but no server.
  return (url.protocol === "https:" || url.protocol === "http:") && allowed.has(url.origin);
}

/** Parses a link, which may be a path of the edge. */
export function parseLink(text: string | null | undefined): URL | undefined {
  try {
    return text ? new URL(text, EDGE) : undefined;
  } catch {
    return undefined;
  }
}

/** Waits for so many milliseconds, or until the network is back. */
export function pause(milliseconds: number): Promise<void> {
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

/** Files beside the lecture that a playlist names, as absolute URLs. */
export interface Extras {
  chapters?: string;
  storyboard?: string;
  poster?: string;
  /** Silences to skip, as JSON. */
  silences?: string;
  /** Whole files of captions. */
  captions?: CaptionFile[];
}

export interface CaptionFile {
  language: string;
  name: string;
  url: string;
}

export interface Quality {
  id: number;
  height: number;
}

export interface AudioChoice {
  id: number;
  name: string;
}

export interface EngineHost {
  /** Headers of requests with the link. */
  headers: Record<string, string>;
  /** Pages around the player page, the nearest first. */
  pages: readonly string[];
  /** Asks the course app for a new link. */
  ask?: () => Promise<URL | undefined>;
  dispatch(event: PlayerEvent): void;
  /** The lists of qualities or audio tracks changed. */
  changed(): void;
  extras(extras: Extras): void;
}

/** The Multivariant Playlist's session data, by its `DATA-ID`. */
const EXTRAS: Record<string, Exclude<keyof Extras, "captions">> = {
  "com.apple.hls.chapters": "chapters",
  "lectern.storyboard": "storyboard",
  "lectern.poster": "poster",
  "lectern.silences": "silences",
};

export class Engine {
  readonly #video: HTMLVideoElement;
  readonly #host: EngineHost;
  #link: URL;
  #passes: Renewal | undefined;
  #hls: Hls | undefined;
  /** The second to start at. */
  #place: number;
  #isRefused = false;
  #isDropped = false;
  #isOpened = false;
  #networkErrors = 0;
  /** The edge's reason for the last network error. */
  #problem: Problem | undefined;
  #mediaErrors = 0;
  /** The course gives a new link once, before anything plays with it. */
  #hasAsked = false;
  #hasReopened = false;
  /** The second at which the player did either. */
  #triedAt = -Infinity;
  /** The lecture is still recorded. */
  #isLive = false;
  #isRecovering = false;
  #isWatched = false;
  #stall: ReturnType<typeof setTimeout> | undefined;
  readonly #listening = new AbortController();

  constructor(video: HTMLVideoElement, link: URL, start: number, host: EngineHost) {
    this.#video = video;
    this.#link = link;
    this.#place = start;
    this.#host = host;
    this.#listen();
  }

  /** The link, which may be newer than the one that opened the player. */
  get link(): URL {
    return this.#passes?.link ?? this.#link;
  }

  /** Opens the lecture, at the place where it stopped. */
  async open(): Promise<void> {
    // The video element may still show another lecture.
    if (this.#isWatched) this.#place = this.#video.currentTime || this.#place;
    this.#isRefused = false;
    this.#isOpened = false;
    this.#hasAsked = this.#hasReopened = false;
    this.#isRecovering = false;
    this.#networkErrors = this.#mediaErrors = 0;
    this.#link = this.link;
    this.#keepPicture();
    this.#hls?.destroy();
    this.#hls = undefined;
    this.#host.dispatch({ type: "open" });
    this.#expectData();
    // hls.js comes first: Chrome answers "maybe" to native HLS, and plays it worse.
    if (FILE.test(this.#link.pathname)) {
      this.#playNatively(this.#link.href);
    } else if (Hls.isSupported()) {
      const around = this.#around();
      this.#passes = new Renewal(this.#link, around, await this.#keptSession(around));
      around.replaced = () => this.#reopen();
      if (!this.#isDropped) this.#playWithHls(this.#passes);
    } else if (this.#video.canPlayType("application/vnd.apple.mpegurl")) {
      this.#playNatively(await this.#nativeSource());
    } else {
      this.refuse({ code: "unsupported" });
    }
  }

  /** Stops with a reason. The picture stays. */
  refuse(refusal: Refusal): void {
    this.#place = this.#video.currentTime || this.#place;
    this.#isRefused = true;
    clearTimeout(this.#stall);
    this.#hls?.stopLoad();
    this.#video.pause();
    this.#host.dispatch({ type: "refuse", refusal });
  }

  destroy(): void {
    this.#isDropped = true;
    clearTimeout(this.#stall);
    this.#listening.abort();
    this.#hls?.destroy();
  }

  /** Heights to choose from, the largest first. */
  qualities(): Quality[] {
    const byHeight = new Map<number, Quality>();
    for (const [id, { height }] of (this.#hls?.levels ?? []).entries())
      if (height) byHeight.set(height, { id, height });
    return [...byHeight.values()].sort((one, other) => other.height - one.height);
  }

  /** The chosen quality, or -1 if the player chooses. */
  get quality(): number {
    return this.#hls && !this.#hls.autoLevelEnabled ? this.#hls.nextLevel : -1;
  }

  /** The viewer's choice counts more than the player's size. */
  set quality(id: number) {
    if (this.#hls) this.#hls.nextLevel = id;
  }

  /** The height that plays. */
  get height(): number {
    return this.#hls?.levels[this.#hls.currentLevel]?.height ?? this.#video.videoHeight;
  }

  audioChoices(): AudioChoice[] {
    return (this.#hls?.audioTracks ?? []).map(({ name, lang }, id) => ({
      id,
      name: name || lang || String(id + 1),
    }));
  }

  get audio(): number {
    return this.#hls?.audioTrack ?? -1;
  }

  set audio(id: number) {
    if (this.#hls) this.#hls.audioTrack = id;
  }

  /** Fetches a file that the playlist names, with its newest pass. */
  async file(url: string): Promise<Response> {
    if (!isAllowed(new URL(url))) throw new Error("another site");
    const answer = await fetch(this.#passes?.newest(url) ?? url);
    if (!answer.ok) throw new Error(String(answer.status));
    return answer;
  }

  /** Returns whether the pass of a URL has ended, or ends within a minute. */
  isOver(url: string): boolean {
    const end = passEnd(url);
    return end !== undefined && end < Date.now() / 1000 + 60;
  }

  #around(): Surroundings {
    return {
      fetch: (...request) => fetch(...request),
      now: Date.now,
      headers: this.#host.headers,
      pause,
      ask: this.#host.ask,
      waiting: () => this.#host.dispatch({ type: "lose" }),
    };
  }

  #listen(): void {
    const { signal } = this.#listening;
    const on = (type: string, event: PlayerEvent): void =>
      this.#video.addEventListener(type, () => this.#host.dispatch(event), { signal });
    on("loadeddata", { type: "ready" });
    on("playing", { type: "play" });
    on("pause", { type: "pause" });
    on("waiting", { type: "wait" });
    on("ended", { type: "end" });
    const { dispatch } = this.#host;
    this.#video.addEventListener("waiting", () => this.#expectData(), { signal });
    for (const type of ["playing", "pause", "ended", "loadeddata"]) {
      this.#video.addEventListener(type, () => clearTimeout(this.#stall), { signal });
    }
    // A refused lecture does not go on from what is loaded.
    this.#video.addEventListener("play", () => this.#isRefused && this.#video.pause(), { signal });
    // hls.js does not look at the connection.
    addEventListener(
      "offline",
      () => {
        if (this.#isOpened) this.#hls?.stopLoad();
        dispatch({ type: "lose" });
      },
      { signal },
    );
    addEventListener(
      "online",
      () => {
        dispatch({ type: "arrive" });
        if (this.#isRefused) return;
        if (this.#isOpened) this.#hls?.startLoad(this.#second());
        else if (this.#video.error && !this.#hls) void this.open();
      },
      { signal },
    );
  }

  /** Reports a wait that is too long for a viewer without an explanation. */
  #expectData(): void {
    clearTimeout(this.#stall);
    this.#stall = setTimeout(() => {
      const isLost = this.#networkErrors > 0 || !navigator.onLine;
      this.#host.dispatch(isLost ? { type: "lose", problem: this.#problem } : { type: "stall" });
    }, STALL_MS);
  }

  /** While a lecture is opened again, its last picture stays. */
  #keepPicture(): void {
    const { videoWidth, videoHeight } = this.#video;
    if (!videoWidth || this.#video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const canvas = Object.assign(document.createElement("canvas"), {
      width: videoWidth,
      height: videoHeight,
    });
    try {
      canvas.getContext("2d")?.drawImage(this.#video, 0, 0);
      this.#video.poster = canvas.toDataURL("image/jpeg", 0.8);
    } catch {
      // Another origin's picture cannot be copied.
    }
  }

  /** The session that this tab had before it was reloaded, if it still has its place. */
  async #keptSession(around: Surroundings): Promise<string | undefined> {
    const session = this.#passes?.session ?? keptSession(lectureOf(this.#link));
    if (!session) return undefined;
    try {
      const opening = new Renewal(this.#link, around, session).opening();
      const answer = await fetch(opening, {
        method: "HEAD",
        cache: "no-store",
        headers: this.#host.headers,
      });
      return answer.ok ? session : undefined;
    } catch {
      return undefined;
    }
  }

  #playWithHls(passes: Renewal): void {
    // Measured on slow networks: the lowest rung starts in 2 s, the middle one in 12 s.
    const hls = new Hls({
      startLevel: 0,
      capLevelToPlayerSize: true,
      // Segments are CMAF, which needs no remuxing that a worker would speed up.
      enableWorker: false,
      // A lecture of hours does not fit into the browser's memory.
      backBufferLength: 60,
      startPosition: this.#place || -1,
      loader: edgeLoader(passes, this.#host.headers),
    });
    this.#hls = hls;
    hls.on(Hls.Events.MANIFEST_LOADED, (_event, { sessionData, url }) => {
      const found: Extras = {};
      for (const [id, name] of Object.entries(EXTRAS)) {
        const uri = sessionData?.[id]?.URI;
        const file = uri && URL.canParse(uri, url) ? new URL(uri, url) : undefined;
        if (file && isAllowed(file)) found[name] = file.href;
      }
      this.#host.extras(found);
    });
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#isOpened = true;
      this.#arrive();
      this.#host.changed();
    });
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => (this.#isLive = details.live));
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      this.#mediaErrors = 0;
      this.#arrive();
    });
    for (const event of [
      Hls.Events.LEVEL_SWITCHED,
      Hls.Events.AUDIO_TRACKS_UPDATED,
      Hls.Events.AUDIO_TRACK_SWITCHED,
    ] as const) {
      hls.on(event, () => this.#host.changed());
    }
    hls.on(Hls.Events.ERROR, (_event, data: ErrorData) => {
      const isRefused =
        FINAL_STATUSES.has(data.response?.code ?? 0) &&
        isAllowed(new URL(data.response?.url || EDGE));
      if (data.fatal || isRefused) void this.#recover(hls, passes, data);
    });
    hls.loadSource(passes.opening());
    hls.attachMedia(this.#video);
    this.#watch(() => this.#passes?.opening() ?? this.link.href);
  }

  /**
   * Reports watch data. A refused report ends the reports and the lecture, until the viewer opens
   * it again.
   */
  #watch(current: () => string): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const stop = (problem: Problem): void => {
      this.#isWatched = false;
      if (!this.#isDropped) this.refuse(refusalOf(problem, this.link, this.#pages()));
    };
    const { signal } = this.#listening;
    void watch(this.#video, current, this.#host.headers, stop, () => this.#isLive, signal);
  }

  #arrive(): void {
    this.#networkErrors = 0;
    this.#problem = undefined;
    this.#host.dispatch({ type: "arrive" });
  }

  async #recover(hls: Hls, passes: Renewal, data: ErrorData): Promise<void> {
    // A fatal error is not dropped: nothing follows it.
    const isBusy = this.#isRecovering && !data.fatal;
    if (isBusy || this.#isRefused || hls !== this.#hls) return;
    this.#isRecovering = true;
    try {
      await this.#recoverOnce(hls, passes, data);
    } finally {
      if (hls === this.#hls) this.#isRecovering = false;
    }
  }

  async #recoverOnce(hls: Hls, passes: Renewal, data: ErrorData): Promise<void> {
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && this.#mediaErrors < MAX_RECOVERIES) {
      this.#mediaErrors += 1;
      hls.recoverMediaError();
      return;
    }
    if (data.type !== Hls.ErrorTypes.NETWORK_ERROR) return this.refuse({ code: "unplayable" });
    const status = data.response?.code ?? 0;
    const url = new URL(data.response?.url || passes.opening(), passes.link);
    const failed = new URL(passes.newest(url.href));
    if (!isAllowed(failed)) return this.refuse({ code: "other_file" });
    const reason =
      passes.refusal ?? (status === 0 ? "unreachable" : await this.#problemOf(failed));
    if (hls !== this.#hls || this.#isRefused) return;
    const problem = reason === "unreachable" ? undefined : reason;
    // One file of many may fail, unless the edge ends the view.
    // The loader renews a pass that has ended, but not one that the edge alone takes for ended.
    const isEnd = ENDS.has(problem?.code ?? "") || (problem?.code === "expired" && !passes.haveEnded());
    if (!data.fatal && !isEnd) return;
    this.#forgetTries();
    const [hasReopened, hasAsked] = [this.#hasReopened, this.#hasAsked];
    switch (nextStep({ status, reason, isLinkOver: passes.isOver(), hasReopened, hasAsked })) {
      case "wait":
        return this.#wait(hls, passes, problem);
      case "reopen":
        this.#hasReopened = true;
        this.#triedAt = this.#video.currentTime || this.#place;
        return this.#reopen();
      case "ask":
        this.#hasAsked = true;
        this.#triedAt = this.#video.currentTime || this.#place;
        if (await passes.replaceLink()) return this.#reopen();
    }
    this.refuse(problem ? refusalOf(problem, passes.link, this.#pages()) : { code: "unplayable" });
  }

  /** Forgets tries at another second. At the same one, they would follow each other without end. */
  #forgetTries(): void {
    const { readyState, currentTime } = this.#video;
    if (readyState === 0 || Math.abs(currentTime - this.#triedAt) < ELSEWHERE_SECONDS) return;
    this.#hasReopened = this.#hasAsked = false;
  }

  /** Waits for the connection or the edge, and loads again. */
  async #wait(hls: Hls, passes: Renewal, problem: Problem | undefined): Promise<void> {
    this.#networkErrors += 1;
    this.#problem = problem;
    if (this.#networkErrors > SILENT_ERRORS) this.#host.dispatch({ type: "lose", problem });
    await pause(Math.min(1000 * this.#networkErrors, LONGEST_WAIT_MS));
    if (hls !== this.#hls || this.#isRefused) return;
    // `startLoad` requests nothing before the Multivariant Playlist has loaded.
    if (this.#isOpened) hls.startLoad(this.#second());
    else hls.loadSource(passes.opening());
  }

  /** The second to load from. hls.js forgets its own before the first segment has arrived. */
  #second(): number {
    return this.#video.currentTime || this.#place || -1;
  }

  /** Opens the link again and goes on at the same second. */
  #reopen(): void {
    if (!this.#hls || !this.#passes) return;
    const { currentTime, paused, playbackRate } = this.#video;
    this.#keepPicture();
    this.#isOpened = false;
    this.#hls.config.startPosition = currentTime || this.#place;
    this.#hls.loadSource(this.#passes.opening());
    this.#video.playbackRate = playbackRate;
    if (!paused) void this.#video.play().catch(() => {});
  }

  /** Asks the edge why a URL does not open. `undefined` if it does open. */
  #problemOf(url: URL): Promise<Problem | "unreachable" | undefined> {
    return reasonOf(url, url.searchParams.has("token") ? this.#host.headers : {});
  }

  /** The pages whose origins a link may have to list. */
  #pages(): readonly string[] {
    return this.#host.pages.length > 0 ? this.#host.pages : [location.origin];
  }

  #playNatively(source: string): void {
    const video = this.#video;
    const failed = async (): Promise<void> => {
      const problem = await this.#problemOf(this.link);
      if (problem === "unreachable") this.#host.dispatch({ type: "lose" });
      else this.refuse(problem ? refusalOf(problem, this.link, this.#pages()) : { code: "unplayable" });
    };
    video.onerror = () => void failed();
    video.src = source;
    if (this.#place > 0) video.currentTime = this.#place;
    this.#watch(() => this.link.href);
  }

  /** The URL for a browser that plays HLS itself. It sends no header, so the page opens a link that counts pages, and
   * the browser gets a pass. */
  async #nativeSource(): Promise<string> {
    if (Object.keys(this.#host.headers).length === 0 || !claimsOf(this.#link).origin)
      return this.#link.href;
    const opening = new URL(this.#link);
    opening.searchParams.set("as", "directory");
    try {
      const answer = await fetch(opening, { cache: "no-store", headers: this.#host.headers });
      return answer.ok ? answer.url : this.#link.href;
    } catch {
      return this.#link.href;
    }
  }
}

/** A lecture's name in the browser's storage: its URL without the link, and the viewer. */
export function lectureOf(link: URL): string {
  return `${link.origin}${link.pathname} ${claimsOf(link).sub ?? ""}`;
}

/** Loads with the newest passes. Refuses files on other sites with 403, without a request. */
function edgeLoader(passes: Renewal, linkHeaders: Record<string, string>) {
  return class EdgeLoader extends Hls.DefaultConfig.loader {
    #isAborted = false;

    override load(
      context: LoaderContext,
      config: LoaderConfiguration,
      callbacks: LoaderCallbacks<LoaderContext>,
    ): void {
      const url = new URL(context.url, EDGE);
      if (!isAllowed(url)) {
        queueMicrotask(() =>
          callbacks.onError({ code: 403, text: "another site" }, context, null, this.stats),
        );
        return;
      }
      const onSuccess: LoaderCallbacks<LoaderContext>["onSuccess"] = (
        response,
        stats,
        loaded,
        details,
      ) => {
        if (details instanceof XMLHttpRequest) {
          passes.loaded(url.href, response.data, {
            get: (name) => details.getResponseHeader(name),
          });
          if (passes.session) keepSession(lectureOf(passes.link), passes.session);
        }
        callbacks.onSuccess(response, stats, loaded, details);
      };
      const start = (): void => {
        if (this.#isAborted) return;
        context.url = passes.newest(url.href);
        if (url.searchParams.has("token")) context.headers = { ...context.headers, ...linkHeaders };
        super.load(context, config, { ...callbacks, onSuccess });
      };
      const renewed = passes.fresh();
      if (renewed) void renewed.then(start);
      else start();
    }

    override abort(): void {
      this.#isAborted = true;
      super.abort();
    }

    override destroy(): void {
      this.#isAborted = true;
      super.destroy();
    }
  };
}
