// Loads and plays a lecture: hls.js for playlists, the browser for files and where it plays HLS
// itself. It reports events; the element decides what the viewer sees.
import Hls, { type ErrorData, type Fragment } from "hls.js";
import { abrSettings, aheadSettings, cautiousLevel, linesOf, lowDataLevel } from "./abr.ts";
import { type FailedLoad, nextStep, type Problem, reasonOf } from "./answer.ts";
import { type Attempt, Attempts } from "./attempts.ts";
import { Damage } from "./damage.ts";
import { claimsOf } from "./link.ts";
import { edgeLoader, type OpenedPlaylist } from "./loader.ts";
import {
  bandwidth,
  keepBandwidth,
  keepSession,
  keepSettings,
  session as keptSession,
  settings,
} from "./memory.ts";
import { EDGE, isAllowed } from "./origins.ts";
import { refusalOf } from "./refusals.ts";
import { passEnd, Renewal, type RenewalContext } from "./renewal.ts";
import type { Extras } from "./session-data.ts";
import { isNearEnd, type Length, parsePosition, type StartFacts, startOf } from "./start.ts";
import type { PlayerEvent, Refusal } from "./state.ts";
import { SessionLock } from "./tab-session.ts";

export { EDGE, isAllowed, parseLink } from "./origins.ts";
export type { CaptionsFile, Extras } from "./session-data.ts";

/** The distance from which a failed load has nothing to do with the one before, in seconds. */
const ELSEWHERE_SECONDS = 10;
/** The number of network errors before the viewer hears that there is no connection. */
const SILENT_ERRORS = 3;
/** The longest wait before the next attempt, in milliseconds. */
const LONGEST_WAIT_MS = 5_000;
/** The wait for data after which the viewer hears of it, in milliseconds. */
const STALL_MS = 5_000;
/** The time limit for a file beside the lecture, in milliseconds. */
const FILE_MS = 30_000;
/** The time limit for a renewed pass or link, in milliseconds. */
const RENEWED_WITHIN_MS = 15_000;
/** The longest part that is left out because the browser cannot decode it, in seconds. */
const LONGEST_JUMP_SECONDS = 30;
/** The time in which hls.js recovers from a media error, in milliseconds. */
const RECOVERED_WITHIN_MS = 1_000;
/** The rest of a lecture that is no segment, in seconds. Audio and video end apart. */
const END_MARGIN = 0.5;
/** Seconds that a decoder is ahead of the picture. */
const DECODED_AHEAD = 0.5;
/**
 * Statuses with which the edge ends a view. Other errors of a file may not concern the next one.
 */
const FINAL_STATUSES = new Set([401, 403, 410]);
/** Codes that end a view at once. A pass that has ended may be renewed first. */
const ENDS = new Set(["revoked", "too_many_sessions"]);
/** Files that are no playlists. */
const FILE = /\.(mp4|m4v|mov|webm|m4a|mp3)$/i;
const NATIVE_HLS = "application/vnd.apple.mpegurl";

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

export interface Quality {
  id: number;
  height: number;
  /** The shorter side, by which people name a quality. */
  lines: number;
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
  /** The lecture goes on at the second where the viewer stopped. */
  resumed(second: number): void;
  /** A part that the browser cannot decode is left out. */
  skipped(): void;
}

/** The part of hls.js that fits the quality to the player's size. The build has it. */
const SizeCap = Hls.DefaultConfig.capLevelController!;
/** hls.js's choice of a quality by the bandwidth. */
const BandwidthChoice = Hls.DefaultConfig.abrController;
const {
  BUFFER_APPENDING_ERROR,
  BUFFER_SEEK_OVER_HOLE,
  BUFFER_STALLED_ERROR,
  MANIFEST_INCOMPATIBLE_CODECS_ERROR,
  MEDIA_SOURCE_REQUIRES_RESET,
} = Hls.ErrorDetails;

/** The full screen of an iPhone, which shows the video alone. */
interface AppleVideo extends HTMLVideoElement {
  webkitDisplayingFullscreen?: boolean;
  webkitExitFullscreen?(): void;
}

/** A media error: what of it is used. */
type MediaProblem = Pick<ErrorData, "details" | "fatal" | "frag" | "sourceBufferName">;

/** The viewer's choices, which outlast a recovery. */
interface Choices {
  height?: number;
  audio?: { lang?: string; name: string };
}

export class Engine {
  readonly #video: HTMLVideoElement;
  readonly #host: EngineHost;
  #start: StartFacts;
  readonly #attempts = new Attempts();
  readonly #lock = new SessionLock(globalThis.navigator?.locks);
  readonly #choices: Choices = {};
  #link: URL;
  #passes: Renewal | undefined;
  #hls: Hls | undefined;
  #sizeCap: { detectPlayerSize(): void } | undefined;
  /** The second that plays, or is to play. */
  #place: number;
  /** The place is where the viewer stopped, and nothing has loaded yet. */
  #isResumed: boolean;
  /** The edge's watch data may name another place. */
  #asksPosition: boolean;
  #isRefused = false;
  #isDropped = false;
  #isOpened = false;
  /** A picture has loaded since the lecture was opened. */
  #hasLoaded = false;
  /** The viewer wants the lecture to play. A new source pauses the video element. */
  #isWanted = false;
  #networkErrors = 0;
  /** The edge's reason for the last network error. */
  #problem: Problem | undefined;
  #damage = new Damage();
  /** A segment is on its way. */
  #isLoading = false;
  /** The segment of each kind of media that is decoded now. */
  readonly #appending = new Map<string, Fragment>();
  /** The segment at which decoding failed. */
  #damaged: Fragment | undefined;
  /** A fatal error that came during a recovery. */
  #missed: ErrorData | undefined;
  /** The course gives a new link once, before anything plays with it. */
  #hasAsked = false;
  #hasReopened = false;
  /** The second at which the player did either. */
  #triedAt = -Infinity;
  /** The lecture is still recorded. */
  #isLive = false;
  #isWatched = false;
  #isLowData = settings().lowData === true;
  /** The device answers, and not the edge. */
  #isFromDevice = false;
  /** The device has the whole lecture. */
  #isOnDevice = false;
  #stall: ReturnType<typeof setTimeout> | undefined;
  #isWaiting = false;
  readonly #listening = new AbortController();
  /** Ends the renewals of what was opened before. */
  #renewing = new AbortController();
  /** The course app is asked for a new link. */
  #isAsking = false;

  constructor(video: HTMLVideoElement, link: URL, start: StartFacts, host: EngineHost) {
    this.#video = video;
    this.#link = link;
    this.#host = host;
    this.#start = start;
    const { second, isResumed } = startOf(start);
    this.#place = second;
    this.#isResumed = isResumed;
    this.#asksPosition = start.asked === undefined && Boolean(claimsOf(link).sub);
    this.#listen();
  }

  /** The link, which may be newer than the one that opened the player. */
  get link(): URL {
    return this.#passes?.link ?? this.#link;
  }

  /** The second that plays, or plays next. */
  get place(): number {
    return this.#place;
  }

  /** The last second that can be chosen. */
  get end(): number {
    const { duration, seekable } = this.#video;
    if (Number.isFinite(duration)) return duration;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : 0;
  }

  /** Goes to a second. Before the lecture has loaded, it is the start. */
  seek(second: number): void {
    if (Number.isNaN(second)) return;
    if (this.#video.readyState > 0) {
      this.#video.currentTime = Math.min(Math.max(0, second), this.end);
    } else if (Number.isFinite(second)) {
      this.#startAt(Math.max(0, second));
    }
  }

  #startAt(asked: number): void {
    this.#start = { asked };
    this.#place = asked;
    this.#isResumed = this.#asksPosition = false;
    if (!this.#hls) this.#video.currentTime = asked;
    else if (this.#isOpened) this.#hls.startLoad(asked);
    else this.#hls.config.startPosition = asked;
  }

  /** Opens the lecture, at the place where it stopped. */
  async open(): Promise<void> {
    if (this.#isDropped) return;
    const attempt = this.#attempts.start();
    this.#isRefused = this.#isOpened = this.#hasLoaded = this.#isLive = false;
    this.#hasAsked = this.#hasReopened = false;
    this.#networkErrors = 0;
    this.#damage = new Damage();
    this.#missed = this.#damaged = undefined;
    this.#link = this.link;
    this.#keepPicture();
    this.#dropHls();
    this.#host.dispatch({ type: "open" });
    this.#expectData();
    try {
      await this.#load(attempt);
    } finally {
      attempt.finish();
    }
  }

  /** Loads again: everything after a refusal, else the parts that are missing. */
  async retry(): Promise<void> {
    if (this.#isRefused || !this.#isOpened || !this.#hls) return this.open();
    this.#attempts.stop();
    this.#networkErrors = 0;
    this.#host.dispatch({ type: "arrive" });
    this.#expectData();
    this.#hls.stopLoad();
    this.#hls.startLoad(this.#second());
  }

  /** Stops with a reason. The picture stays. */
  refuse(refusal: Refusal): void {
    this.#isRefused = true;
    this.#attempts.stop();
    this.#stopWaiting();
    this.#hls?.stopLoad();
    this.#video.pause();
    this.#renewing.abort();
    this.#leaveOtherViews();
    this.#host.dispatch({ type: "refuse", refusal });
  }

  /** Leaves views that show the video without the page, which says why nothing plays. */
  #leaveOtherViews(): void {
    const video: AppleVideo = this.#video;
    const root = video.getRootNode() as Document | ShadowRoot;
    if (root.pictureInPictureElement) void document.exitPictureInPicture().catch(() => {});
    if (video.webkitDisplayingFullscreen) video.webkitExitFullscreen?.();
  }

  destroy(): void {
    this.#isDropped = true;
    this.#attempts.stop();
    this.#stopWaiting();
    this.#listening.abort();
    this.#renewing.abort();
    this.#lock.release();
    if (!this.#dropHls() && this.#video.hasAttribute("src")) {
      this.#video.onerror = null;
      this.#video.removeAttribute("src");
      this.#video.load();
    }
  }

  /** Heights to choose from, the largest first. */
  qualities(): Quality[] {
    const byHeight = new Map<number, Quality>();
    for (const [id, level] of (this.#hls?.levels ?? []).entries()) {
      const { height } = level;
      if (height) byHeight.set(height, { id, height, lines: linesOf(level) });
    }
    return [...byHeight.values()].sort((one, other) => other.height - one.height);
  }

  /** The chosen quality, or -1 if the player chooses. */
  get quality(): number {
    return this.#hls?.manualLevel ?? -1;
  }

  /** The viewer's choice counts more than the player's size. */
  set quality(id: number) {
    if (!this.#hls) return;
    this.#choices.height = this.#hls.levels[id]?.height;
    // `nextLevel` drops what is loaded, which is all that plays without a connection.
    this.#hls[this.#isLost() ? "loadLevel" : "nextLevel"] = id;
  }

  /** The playlists that the browser can play. */
  get hls(): Hls | undefined {
    return this.#hls;
  }

  /** Headers of requests with the link. */
  get headers(): Record<string, string> {
    return this.#host.headers;
  }

  /** The device has the whole lecture, or no longer has it. */
  set isOnDevice(isThere: boolean) {
    this.#isOnDevice = isThere;
    if (!isThere && this.#isFromDevice) void this.#openAgain();
  }

  /** The lines of the quality that plays. */
  get lines(): number {
    const { videoWidth: width, videoHeight: height } = this.#video;
    return linesOf(this.#hls?.levels[this.#hls.currentLevel] ?? { width, height });
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
    const track = this.#hls?.audioTracks[id];
    if (!this.#hls || !track) return;
    const { lang, name } = track;
    this.#choices.audio = { lang, name };
    this.#hls.config.audioPreference = this.#choices.audio;
    this.#hls.audioTrack = id;
  }

  /** The length of what is known of the lecture. */
  get length(): Length {
    return { duration: this.#video.duration, isLive: this.#isLive };
  }

  /** Returns whether the player loads little: low qualities, and not far ahead. */
  get lowData(): boolean {
    return this.#isLowData;
  }

  set lowData(isOn: boolean) {
    this.#isLowData = isOn;
    keepSettings({ lowData: isOn });
    if (this.#hls) Object.assign(this.#hls.config, aheadSettings(isOn));
    this.#sizeCap?.detectPlayerSize();
    this.#host.changed();
  }

  /** Fetches a file that the playlist names, with its newest pass. */
  async file(url: string): Promise<Response> {
    if (!isAllowed(new URL(url))) throw new Error("another site");
    const signal = AbortSignal.timeout(FILE_MS);
    const answer = await fetch(this.#passes?.newest(url) ?? url, { signal });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer;
  }

  /** Returns whether the pass of a URL has ended, or ends within a minute. */
  isOver(url: string): boolean {
    const end = passEnd(url);
    return end !== undefined && end < Date.now() / 1000 + 60;
  }

  async #load(attempt: Attempt): Promise<void> {
    const context = this.#context();
    // hls.js comes first: Chrome answers "maybe" to native HLS, and plays it worse.
    if (!FILE.test(this.#link.pathname) && Hls.isSupported()) {
      const session = await this.#keptSession();
      if (!attempt.isCurrent) return;
      this.#passes = new Renewal(this.#link, context, session);
      context.replaced = () => this.#reopen();
      this.#playWithHls(this.#passes);
    } else if (FILE.test(this.#link.pathname) || this.#video.canPlayType(NATIVE_HLS)) {
      this.#passes = new Renewal(this.#link, context);
      await this.#findPosition(attempt);
      await this.#playNatively(attempt);
    } else {
      this.refuse({ code: "unsupported" });
    }
  }

  #context(): RenewalContext {
    this.#renewing.abort();
    this.#renewing = new AbortController();
    return {
      signal: this.#renewing.signal,
      fetch: (url, options) =>
        fetch(url, { ...options, signal: AbortSignal.timeout(RENEWED_WITHIN_MS) }),
      now: Date.now,
      headers: this.#host.headers,
      pause,
      ask: this.#host.ask && (() => this.#ask()),
      waiting: () => this.#host.dispatch({ type: "lose" }),
    };
  }

  async #ask(): Promise<URL | undefined> {
    this.#isAsking = true;
    try {
      return await this.#host.ask?.();
    } finally {
      this.#isAsking = false;
    }
  }

  #listen(): void {
    const { signal } = this.#listening;
    const video = this.#video;
    const on = (types: string[], listener: () => void): void => {
      for (const type of types) video.addEventListener(type, listener, { signal });
    };
    const dispatch = (event: PlayerEvent) => () => this.#host.dispatch(event);
    on(["loadeddata", "seeked"], dispatch({ type: "ready" }));
    on(["playing"], dispatch({ type: "play" }));
    on(["pause"], dispatch({ type: "pause" }));
    on(["waiting"], dispatch({ type: "wait" }));
    on(["ended"], dispatch({ type: "end" }));
    on(["seeking"], () => {
      if (video.currentTime < video.duration) this.#host.dispatch({ type: "seek" });
    });
    on(["loadeddata"], () => {
      this.#hasLoaded = true;
      if (this.#isResumed) this.#host.resumed(this.#place);
      this.#isResumed = false;
    });
    on(["loadedmetadata"], () => this.#checkStart());
    on(["playing"], () => void this.#watch());
    on(["timeupdate", "seeking"], () => this.#follow());
    on(["waiting", "seeking"], () => this.#expectData());
    on(["playing", "pause", "ended", "loadeddata", "seeked"], () => this.#stopWaiting());
    // An error pauses, too.
    on(["pause"], () => (this.#isWanted &&= video.error !== null));
    on(["progress"], () => !this.#hls && !video.error && this.#arrive());
    on(["error"], () => this.#expectRecovery());
    on(["play"], () => {
      // A refused lecture does not go on from what is loaded.
      if (this.#isRefused) video.pause();
      else this.#isWanted = true;
    });
    // hls.js does not look at the connection.
    addEventListener(
      "offline",
      () => {
        if (this.#isFromDevice) return;
        if (this.#isOnDevice && !this.#isRefused) return void this.#openAgain();
        if (this.#isOpened) this.#hls?.stopLoad();
        this.#host.dispatch({ type: "lose" });
      },
      { signal },
    );
    addEventListener(
      "online",
      () => {
        this.#host.dispatch({ type: "arrive" });
        if (this.#isRefused) return;
        if (this.#isOpened) this.#hls?.startLoad(this.#second());
        else if (this.#video.error && !this.#hls) void this.#recoverNative();
      },
      { signal },
    );
  }

  /** Notes the second that plays. A new source resets the video element's. */
  #follow(): void {
    const { readyState, currentTime, paused, seeking } = this.#video;
    if (this.#isRefused) return;
    if (!paused && !seeking) this.#damage.plays(currentTime);
    if (readyState > 0 && (currentTime > 0 || this.#hasLoaded)) this.#place = currentTime;
  }

  /** Reports a wait that is too long for a viewer without an explanation. */
  #expectData(): void {
    clearTimeout(this.#stall);
    if (this.#isRefused) return;
    this.#isWaiting = true;
    this.#stall = setTimeout(() => {
      // The viewer waits for the course app, which has a time limit.
      if (this.#isAsking) return this.#expectData();
      const isLost = this.#isLost();
      // hls.js may load nothing after a recovery, and report nothing.
      const isStuck = !isLost && !this.#isLoading && this.#damage.isNear(this.#place);
      if (isStuck && this.#hls)
        return this.#recoverMedia(this.#hls, { details: BUFFER_STALLED_ERROR, fatal: true });
      this.#host.dispatch(isLost ? { type: "lose", problem: this.#problem } : { type: "stall" });
    }, STALL_MS);
  }

  /** Returns whether nothing loads now. */
  #isLost(): boolean {
    return this.#networkErrors > 0 || !navigator.onLine;
  }

  #stopWaiting(): void {
    clearTimeout(this.#stall);
    this.#isWaiting = false;
  }

  /** Destroys hls.js. Returns whether it played the lecture. */
  #dropHls(): boolean {
    const hls = this.#hls;
    this.#hls = this.#sizeCap = undefined;
    hls?.destroy();
    return hls !== undefined;
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

  /** The session that this tab had before it was reloaded, unless another tab plays with it. */
  async #keptSession(): Promise<string | undefined> {
    const session = this.#passes?.session ?? keptSession(lectureOf(this.#link));
    return session && (await this.#lock.hold(session)) ? session : undefined;
  }

  /** Opens the lecture as a new player if the kept session has lost its place. */
  #dropSession(hls: Hls, passes: Renewal): void {
    keepSession(lectureOf(passes.link), undefined);
    passes.forgetSession();
    this.#lock.release();
    hls.loadSource(this.#opening(passes));
  }

  /** The URL that opens the lecture, and asks for the viewer's position in the same answer. */
  #opening(passes: Renewal): string {
    const url = new URL(passes.opening());
    if (this.#asksPosition) url.searchParams.set("with", "position");
    return url.href;
  }

  /** Takes notice of the Multivariant Playlist, before hls.js does. */
  #opened(hls: Hls, passes: Renewal, { text, url, headers }: OpenedPlaylist): void {
    if (hls !== this.#hls) return;
    this.#isFromDevice = headers.get("lectern-kept") !== null;
    this.#isOnDevice ||= this.#isFromDevice;
    this.#setStart(parsePosition(headers.get("lectern-position")));
    hls.config.startPosition = this.#second();
    if (passes.session) {
      keepSession(lectureOf(passes.link), passes.session);
      void this.#lock.hold(passes.session);
    }
    void this.#findExtras(hls, text, url);
  }

  /** Finds files beside the lecture, which the first frame does not need. */
  async #findExtras(hls: Hls, text: string, url: string): Promise<void> {
    const reader = await import("./session-data.ts").catch(() => undefined);
    if (reader && hls === this.#hls) this.#host.extras(reader.extrasIn(text, url, isAllowed));
  }

  /** Moves the start to the position of the edge's watch data, once. */
  #setStart(watched: number | undefined): void {
    if (!this.#asksPosition) return;
    this.#asksPosition = false;
    const { second, isResumed } = startOf({ ...this.#start, watched });
    this.#place = second;
    this.#isResumed = isResumed;
  }

  /** Begins anew where the viewer has nearly seen the end. Nothing has played yet. */
  #checkStart(): void {
    if (!this.#isResumed || !isNearEnd(this.#place, this.length)) return;
    this.#isResumed = false;
    this.#place = 0;
    this.#video.currentTime = 0;
  }

  #playWithHls(passes: Renewal): void {
    const engine = this;
    const hls = new Hls({
      ...abrSettings({ bandwidth: bandwidth(), isLowData: this.#isLowData }),
      // Segments are CMAF, which needs no remuxing that a worker would speed up.
      enableWorker: false,
      startPosition: this.#second(),
      audioPreference: this.#choices.audio,
      loader: edgeLoader(passes, this.#host.headers, (playlist) =>
        this.#opened(hls, passes, playlist),
      ),
      abrController: class extends BandwidthChoice {
        override get nextAutoLevel(): number {
          const ahead = hls.mainForwardBufferInfo?.len ?? 0;
          return cautiousLevel(super.nextAutoLevel, hls.levels, hls.bandwidthEstimate, ahead);
        }

        override set nextAutoLevel(level: number) {
          super.nextAutoLevel = level;
        }
      },
      capLevelController: class extends SizeCap {
        constructor(owner: Hls) {
          super(owner);
          engine.#sizeCap = this;
        }

        override getMaxLevel(last: number): number {
          const bySize = super.getMaxLevel(last);
          return engine.#isLowData ? Math.min(bySize, lowDataLevel(hls.levels)) : bySize;
        }
      },
    });
    this.#hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      this.#isOpened = true;
      this.#restoreQuality(hls);
      this.#arrive();
      this.#host.changed();
    });
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => (this.#isLive = details.live));
    hls.on(Hls.Events.FRAG_LOADING, () => (this.#isLoading = true));
    hls.on(Hls.Events.FRAG_LOADED, () => (this.#isLoading = false));
    hls.on(Hls.Events.BUFFER_APPENDING, (_event, { type, frag }) => {
      this.#appending.set(type, frag);
    });
    hls.on(Hls.Events.FRAG_BUFFERED, () => {
      // The device's speed is not the line's.
      if (!this.#isFromDevice && hls.bandwidthEstimate !== hls.abrEwmaDefaultEstimate)
        keepBandwidth(hls.bandwidthEstimate);
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
      // hls.js loads nothing after this one.
      if (data.details === MANIFEST_INCOMPATIBLE_CODECS_ERROR)
        return this.refuse({ code: "unsupported" });
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR) return this.#recoverMedia(hls, data);
      const isRefused =
        FINAL_STATUSES.has(data.response?.code ?? 0) &&
        isAllowed(new URL(data.response?.url || EDGE));
      if (data.fatal || isRefused) void this.#recover(hls, passes, data);
    });
    hls.loadSource(this.#opening(passes));
    hls.attachMedia(this.#video);
    void this.#watch();
  }

  /** Chooses the viewer's quality again, if the lecture still has it. */
  #restoreQuality(hls: Hls): void {
    const { height } = this.#choices;
    const chosen = this.qualities().find((quality) => quality.height === height);
    if (chosen) hls.startLevel = hls.loadLevel = chosen.id;
  }

  /**
   * Reports watch data. A refused report ends the reports and the lecture, until the viewer opens
   * it again.
   */
  async #watch(): Promise<void> {
    if (this.#isWatched || !claimsOf(this.link).sub) return;
    this.#isWatched = true;
    const stop = (problem: Problem): void => {
      this.#isWatched = false;
      if (!this.#isDropped) this.refuse(refusalOf(problem, this.link, this.#pages()));
    };
    const { signal } = this.#listening;
    const current = (): string => this.#passes?.opening() ?? this.link.href;
    try {
      const { watch } = await import("./watching.ts");
      watch(this.#video, current, this.#host.headers, stop, () => this.#isLive, signal);
    } catch {
      // The script is tried again when the lecture plays on.
      this.#isWatched = false;
    }
  }

  #arrive(): void {
    this.#networkErrors = 0;
    this.#problem = undefined;
    this.#host.dispatch({ type: "arrive" });
    if (this.#isWaiting) this.#expectData();
  }

  /** Recovers in place of hls.js, which sees an error only with the next segment. */
  #expectRecovery(): void {
    const hls = this.#hls;
    if (!hls) return;
    setTimeout(() => {
      const details = MEDIA_SOURCE_REQUIRES_RESET;
      if (this.#video.error) this.#recoverMedia(hls, { details, fatal: true });
    }, RECOVERED_WITHIN_MS);
  }

  /** Recovers from a segment that the browser cannot decode. */
  #recoverMedia(hls: Hls, data: MediaProblem): void {
    if (this.#isRefused || hls !== this.#hls) return;
    // The errors that follow name the next segment, or that of another track.
    if (data.details === BUFFER_APPENDING_ERROR)
      this.#damaged ??= this.#appending.get(data.sourceBufferName ?? "");
    if (data.details === BUFFER_SEEK_OVER_HOLE) return this.#jumped();
    if (!data.fatal && data.details !== MEDIA_SOURCE_REQUIRES_RESET) return;
    const segment = this.#damagedSegment(hls, data);
    this.#damaged = undefined;
    const at = segment?.start ?? this.#place;
    const isLast = segment !== undefined && this.#isLast(hls, segment);
    const step = this.#damage.next(at, this.#place, segment !== undefined, isLast);
    if (step === "stop") {
      this.#place = this.#damage.began;
      return this.refuse({ code: "unplayable" });
    }
    if (step === "end") return this.#endEarly(hls, data.fatal);
    if (step === "skip" && segment) {
      this.#place = segment.end;
      this.#host.skipped();
    }
    // hls.js starts again where its settings say, unless the error was fatal.
    hls.config.startPosition = this.#second();
    if (data.fatal) hls.recoverMediaError();
    if (data.fatal || step === "skip") {
      hls.stopLoad();
      hls.startLoad(this.#second());
    }
    this.#playOn();
  }

  #isLast(hls: Hls, segment: Fragment): boolean {
    const edge = hls.levels[hls.loadLevel]?.details?.edge ?? Infinity;
    return !this.#isLive && segment.end >= edge - END_MARGIN;
  }

  /** Ends the lecture before segments that the browser cannot decode. It may play again. */
  #endEarly(hls: Hls, isFatal: boolean): void {
    this.#isWanted = false;
    this.#video.pause();
    this.#host.dispatch({ type: "end" });
    this.#host.skipped();
    this.#place = hls.config.startPosition = 0;
    if (isFatal) hls.recoverMediaError();
    else this.#video.currentTime = 0;
    hls.stopLoad();
    hls.startLoad(0);
  }

  /** Follows hls.js over segments that it left out, but not over half a lecture. */
  #jumped(): void {
    const seconds = this.#video.currentTime - this.#place;
    if (seconds > LONGEST_JUMP_SECONDS) {
      this.refuse({ code: "unplayable" });
    } else if (seconds > 1) {
      this.#host.skipped();
    }
  }

  /** The segment of a media error: the one that was decoded, else the one that plays. */
  #damagedSegment(hls: Hls, { frag }: MediaProblem): Fragment | undefined {
    const known = this.#damaged ?? frag;
    if (known) return known;
    const at = this.#place + DECODED_AHEAD;
    const segments = hls.levels[hls.loadLevel]?.details?.fragments;
    return segments?.find(({ start, end }) => start <= at && at < end);
  }

  async #recover(hls: Hls, passes: Renewal, data: ErrorData): Promise<void> {
    if (this.#isRefused || hls !== this.#hls) return;
    const attempt = this.#attempts.startIfIdle();
    if (!attempt) {
      // Nothing follows a fatal error, unless the recovery that runs loads again.
      if (data.fatal) this.#missed = data;
      return;
    }
    let hasActed = false;
    try {
      hasActed = await this.#recoverOnce(hls, passes, data, attempt);
    } finally {
      attempt.finish();
    }
    const missed = this.#missed;
    this.#missed = undefined;
    if (missed && !hasActed && attempt.isCurrent) await this.#recover(hls, passes, missed);
  }

  /** Returns whether the lecture loads again, or was refused. */
  async #recoverOnce(
    hls: Hls,
    passes: Renewal,
    data: ErrorData,
    attempt: Attempt,
  ): Promise<boolean> {
    if (data.type !== Hls.ErrorTypes.NETWORK_ERROR) return this.#stop("unplayable");
    const status = data.response?.code ?? 0;
    const url = new URL(data.response?.url || passes.opening(), passes.link);
    const failed = new URL(passes.newest(url.href));
    if (!isAllowed(failed)) return this.#stop("other_file");
    const reason =
      passes.refusal ?? (status === 0 ? "unreachable" : await this.#problemOf(failed));
    if (!attempt.isCurrent) return true;
    const code = reason === "unreachable" ? undefined : reason?.code;
    if (code === "too_many_sessions" && passes.session && !this.#isOpened) {
      this.#dropSession(hls, passes);
      return true;
    }
    // One file of many may fail, unless the edge ends the view.
    // The loader renews a pass that has ended, but not one that the edge alone takes for ended.
    const isUnexpected = code === "expired" && !passes.haveEnded();
    const isEnd = passes.refusal !== undefined || ENDS.has(code ?? "") || isUnexpected;
    if (!data.fatal && !isEnd) return false;
    const loadAgain = (): void => {
      // `startLoad` requests nothing before the Multivariant Playlist has loaded.
      if (this.#isOpened) hls.startLoad(this.#second());
      else hls.loadSource(this.#opening(passes));
    };
    await this.#followUp({ status, reason }, attempt, passes, loadAgain, () => this.#reopen());
    return true;
  }

  /** Does what follows a failed load: waits, opens again, asks for a new link, or stops. */
  async #followUp(
    { status, reason }: Pick<FailedLoad, "status" | "reason">,
    attempt: Attempt,
    passes: Renewal,
    loadAgain: () => void,
    reopen: () => void,
  ): Promise<void> {
    const problem = reason === "unreachable" ? undefined : reason;
    this.#forgetTries();
    const hasReopened = this.#hasReopened;
    // A renewal has asked for a new link before it gives up.
    const hasAsked = this.#hasAsked || passes.refusal !== undefined;
    switch (nextStep({ status, reason, isLinkOver: passes.isOver(), hasReopened, hasAsked })) {
      case "wait":
        await this.#wait(problem);
        if (attempt.isCurrent) loadAgain();
        return;
      case "reopen":
        this.#hasReopened = true;
        this.#triedAt = this.#place;
        return reopen();
      case "ask": {
        this.#hasAsked = true;
        this.#triedAt = this.#place;
        const isReplaced = await passes.replaceLink();
        if (!attempt.isCurrent) return;
        if (isReplaced) return reopen();
      }
    }
    const refusal = problem && refusalOf(problem, passes.link, this.#pages());
    this.refuse(refusal ?? { code: "unplayable" });
  }

  #stop(code: "unplayable" | "other_file"): true {
    this.refuse({ code });
    return true;
  }

  /** Forgets tries at another second. At the same one, they would follow each other without end. */
  #forgetTries(): void {
    if (!this.#hasLoaded || Math.abs(this.#place - this.#triedAt) < ELSEWHERE_SECONDS) return;
    this.#hasReopened = this.#hasAsked = false;
  }

  /** Waits for the connection or the edge. */
  async #wait(problem: Problem | undefined): Promise<void> {
    this.#networkErrors += 1;
    this.#problem = problem;
    if (this.#networkErrors > SILENT_ERRORS) this.#host.dispatch({ type: "lose", problem });
    await pause(Math.min(1000 * this.#networkErrors, LONGEST_WAIT_MS));
  }

  /** The second to load from. -1 leaves it to hls.js, which joins a live lecture at its end. */
  #second(): number {
    return this.#place > 0 || this.#hasLoaded || this.#start.asked === 0 ? this.#place : -1;
  }

  /** Opens the link again and goes on at the same second. */
  #reopen(): void {
    if (!this.#hls || !this.#passes) return;
    const { playbackRate } = this.#video;
    this.#keepPicture();
    this.#isOpened = false;
    this.#hls.config.startPosition = this.#second();
    this.#hls.loadSource(this.#opening(this.#passes));
    this.#video.playbackRate = playbackRate;
    this.#playOn();
  }

  /** Opens the lecture from another source, at the same second. */
  async #openAgain(): Promise<void> {
    await this.open();
    this.#playOn();
  }

  /** Plays on after a change of the source, which pauses the video element. */
  #playOn(): void {
    if (this.#isWanted && this.#video.paused) void this.#video.play().catch(() => {});
  }

  /** Asks the edge why a URL does not open. `undefined` if it does open. */
  #problemOf(url: URL): Promise<Problem | "unreachable" | undefined> {
    return reasonOf(url, url.searchParams.has("token") ? this.#host.headers : {});
  }

  /** The pages whose origins a link may have to list. */
  #pages(): readonly string[] {
    return this.#host.pages.length > 0 ? this.#host.pages : [location.origin];
  }

  /** Asks the edge for the viewer's position, where no playlist's headers name it. */
  async #findPosition(attempt: Attempt): Promise<void> {
    if (!this.#asksPosition) return;
    const watching = await import("./watching.ts").catch(() => undefined);
    const watched = await watching?.askPosition(this.link, this.#host.headers);
    if (attempt.isCurrent) this.#setStart(watched);
  }

  /** Plays by the browser alone, at the same second. */
  async #playNatively(attempt: Attempt): Promise<void> {
    const video = this.#video;
    const source = await this.#nativeSource();
    if (!attempt.isCurrent) return;
    video.onerror = () => void this.#recoverNative();
    this.#isOpened = false;
    const { playbackRate } = video;
    video.src = source;
    video.playbackRate = playbackRate;
    if (this.#place > 0) video.currentTime = this.#place;
    this.#playOn();
    void this.#watch();
  }

  async #recoverNative(): Promise<void> {
    const [passes, { error }] = [this.#passes, this.#video];
    if (!passes || !error || this.#isRefused || this.#hls) return;
    const attempt = this.#attempts.startIfIdle();
    if (!attempt) return;
    try {
      const reason = await this.#problemOf(passes.link);
      if (!attempt.isCurrent) return;
      const isDamage = reason === undefined && error.code !== MediaError.MEDIA_ERR_NETWORK;
      if (isDamage && this.#damage.next(this.#place, this.#place, false) === "stop")
        return this.refuse({ code: "unplayable" });
      const again = (): Promise<void> => this.#playNatively(attempt);
      if (isDamage) return await again();
      let loads: Promise<void> | undefined;
      const load = (): void => void (loads = again());
      await this.#followUp({ status: 0, reason }, attempt, passes, load, load);
      await loads;
    } finally {
      attempt.finish();
    }
  }

  /**
   * The URL for the browser. Where it plays HLS itself, it sends no header, so the page opens a
   * link that counts pages, and the browser gets a pass.
   */
  async #nativeSource(): Promise<string> {
    const { link } = this;
    const { headers } = this.#host;
    const isFile = FILE.test(link.pathname);
    if (isFile || Object.keys(headers).length === 0 || !claimsOf(link).origin) return link.href;
    const opening = new URL(link);
    opening.searchParams.set("as", "directory");
    try {
      const signal = AbortSignal.timeout(RENEWED_WITHIN_MS);
      const answer = await fetch(opening, { cache: "no-store", headers, signal });
      return answer.ok ? answer.url : link.href;
    } catch {
      return link.href;
    }
  }
}

/** A lecture's name in the browser's storage: its URL without the link, and the viewer. */
export function lectureOf(link: URL): string {
  return `${link.origin}${link.pathname} ${claimsOf(link).sub ?? ""}`;
}
