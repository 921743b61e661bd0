// Loads and plays a lecture: hls.js for playlists, the browser for files and where it plays HLS
// itself. It reports events; the element decides what the viewer sees.
import Hls, { type ErrorData } from "hls.js";
import type { Attempt } from "./attempts.ts";
import { Choices } from "./choices.ts";
import { claimsOf, lectureOf } from "./link.ts";
import { edgeLoader, type OpenedPlaylist } from "./loader.ts";
import { keepBandwidth, keepSession, keptSession } from "./memory.ts";
import { MediaRecovery } from "./media-recovery.ts";
import { isFile, NativePlayback } from "./native-playback.ts";
import { NetworkRecovery } from "./network-recovery.ts";
import { isAllowed } from "./origins.ts";
import { pause } from "./pause.ts";
import { type EngineHost, Playback } from "./playback.ts";
import { passEnd, Renewal, type RenewalContext } from "./renewal.ts";
import { type Length, parsePosition, Position, type StartFacts } from "./start.ts";
import type { PlayerEvent, Refusal } from "./state.ts";
import { SessionLock } from "./tab-session.ts";

/** The wait for data after which the viewer hears of it, in milliseconds. */
const STALL_MS = 5_000;
/** The time limit for a file beside the lecture, in milliseconds. */
const FILE_MS = 30_000;
/** The time limit for a renewed pass or link, in milliseconds. */
const RENEWED_WITHIN_MS = 15_000;

/** The full screen of an iPhone, which shows the video alone. */
interface AppleVideo extends HTMLVideoElement {
  webkitDisplayingFullscreen?: boolean;
  webkitExitFullscreen?(): void;
}

export class Engine {
  readonly choices: Choices;
  readonly #playback: Playback;
  readonly #media: MediaRecovery;
  readonly #network: NetworkRecovery;
  readonly #native: NativePlayback;
  readonly #lock = new SessionLock(globalThis.navigator?.locks);
  readonly #listening = new AbortController();
  /** Ends the renewals of what was opened before. */
  #renewing = new AbortController();
  #isDropped = false;
  /** A segment is on its way. */
  #isLoading = false;
  #isWatched = false;
  /** The device answers, and not the edge. */
  #isFromDevice = false;
  /** The device has the whole lecture. */
  #isOnDevice = false;
  /** The chosen second, if the Multivariant Playlist had loaded and nothing else. */
  #early: number | undefined;
  /** The course app is asked for a new link. */
  #isAsking = false;
  #stall: ReturnType<typeof setTimeout> | undefined;
  #isWaiting = false;

  constructor(video: HTMLVideoElement, link: URL, start: StartFacts, host: EngineHost) {
    const asksEdge = start.asked === undefined && Boolean(claimsOf(link).sub);
    const position = new Position(start, asksEdge);
    this.#playback = new Playback(video, link, position, host, (refusal) => this.refuse(refusal));
    this.choices = new Choices(this.#playback);
    this.#media = new MediaRecovery(this.#playback);
    this.#network = new NetworkRecovery(this.#playback, {
      loadSource: (hls, passes) => hls.loadSource(this.#opening(passes)),
      reopen: () => this.#reopen(),
      dropSession: (hls, passes) => this.#dropSession(hls, passes),
    });
    this.#native = new NativePlayback(this.#playback, this.#media, this.#network);
    this.#listen();
  }

  /** The link, which may be newer than the one that opened the player. */
  get link(): URL {
    return this.#playback.link;
  }

  /** The second that plays, or plays next. */
  get position(): number {
    return this.#playback.position.second;
  }

  /** The last second that can be chosen. */
  get end(): number {
    const { duration, seekable } = this.#playback.video;
    if (Number.isFinite(duration)) return duration;
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : 0;
  }

  /** The length of what is known of the lecture. */
  get length(): Length {
    const { video, isLive } = this.#playback;
    return { duration: video.duration, isLive };
  }

  /** The playlists that the browser can play. */
  get hls(): Hls | undefined {
    return this.#playback.hls;
  }

  /** Headers of requests with the link. */
  get headers(): Record<string, string> {
    return this.#playback.host.headers;
  }

  /** The device has the whole lecture, or no longer has it. */
  set isOnDevice(isThere: boolean) {
    this.#isOnDevice = isThere;
    if (!isThere && this.#isFromDevice) void this.#openAgain();
  }

  /** Goes to a second. Before the lecture has loaded, it is the start. */
  seek(second: number): void {
    const { video } = this.#playback;
    if (Number.isNaN(second)) return;
    if (video.readyState > 0) video.currentTime = Math.min(Math.max(0, second), this.end);
    else if (Number.isFinite(second)) this.#startAt(Math.max(0, second));
  }

  #startAt(second: number): void {
    const { hls, isOpened, position, video } = this.#playback;
    position.choose(second);
    if (!hls) video.currentTime = second;
    else if (!isOpened) hls.config.startPosition = second;
    // hls.js that starts anew before its first segment sometimes waits for ever.
    else this.#early = second;
  }

  /** Opens the lecture at its position. */
  async open(): Promise<void> {
    if (this.#isDropped) return;
    const playback = this.#playback;
    const attempt = playback.attempts.start();
    this.#early = undefined;
    playback.isRefused = playback.isOpened = playback.hasLoaded = playback.isLive = false;
    this.#network.reset();
    this.#media.reset();
    playback.keepPicture();
    this.#dropHls();
    playback.host.dispatch({ type: "open" });
    this.#expectData();
    try {
      await this.#load(attempt);
    } finally {
      attempt.finish();
    }
  }

  /** Loads again: everything after a refusal, else the parts that are missing. */
  async retry(): Promise<void> {
    const { attempts, hls, host, isOpened, isRefused, loadsFrom } = this.#playback;
    if (isRefused || !isOpened || !hls) return this.open();
    attempts.stop();
    this.#network.arrived();
    host.dispatch({ type: "arrive" });
    this.#expectData();
    hls.stopLoad();
    hls.startLoad(loadsFrom);
  }

  /** Stops with a reason. The picture stays. */
  refuse(refusal: Refusal): void {
    const playback = this.#playback;
    playback.isRefused = true;
    playback.attempts.stop();
    this.#stopWaiting();
    playback.hls?.stopLoad();
    playback.video.pause();
    this.#renewing.abort();
    this.#leaveOtherViews();
    playback.host.dispatch({ type: "refuse", refusal });
  }

  /** Leaves views that show the video without the page, which says why nothing plays. */
  #leaveOtherViews(): void {
    const video: AppleVideo = this.#playback.video;
    const root = video.getRootNode() as Document | ShadowRoot;
    if (root.pictureInPictureElement) void document.exitPictureInPicture().catch(() => {});
    if (video.webkitDisplayingFullscreen) video.webkitExitFullscreen?.();
  }

  destroy(): void {
    this.#isDropped = true;
    this.#playback.attempts.stop();
    this.#stopWaiting();
    this.#listening.abort();
    this.#renewing.abort();
    this.#lock.release();
    if (!this.#dropHls()) this.#native.drop();
  }

  /** Fetches a file that the playlist names, with its newest pass. */
  async file(url: string): Promise<Response> {
    if (!isAllowed(new URL(url))) throw new Error("another site");
    const signal = AbortSignal.timeout(FILE_MS);
    const answer = await fetch(this.#playback.passes?.newest(url) ?? url, { signal });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer;
  }

  /** Returns whether the pass of a URL has ended, or ends within a minute. */
  isOver(url: string): boolean {
    const end = passEnd(url);
    return end !== undefined && end < Date.now() / 1000 + 60;
  }

  async #load(attempt: Attempt): Promise<void> {
    const playback = this.#playback;
    const { link } = playback;
    const context = this.#renewalContext();
    // hls.js comes first: Chrome answers "maybe" to native HLS, and plays it worse.
    if (!isFile(link) && Hls.isSupported()) {
      const session = await this.#keptSession();
      if (!attempt.isCurrent) return;
      playback.passes = new Renewal(link, context, session);
      context.replaced = () => this.#reopen();
      this.#playWithHls(playback.passes);
    } else if (this.#native.plays(link)) {
      playback.passes = new Renewal(link, context);
      await this.#findPosition(attempt);
      await this.#native.play(attempt);
    } else {
      return this.refuse({ code: "unsupported" });
    }
    if (attempt.isCurrent) void this.#watch();
  }

  #renewalContext(): RenewalContext {
    const { host } = this.#playback;
    this.#renewing.abort();
    this.#renewing = new AbortController();
    return {
      signal: this.#renewing.signal,
      fetch: (url, options) =>
        fetch(url, { ...options, signal: AbortSignal.timeout(RENEWED_WITHIN_MS) }),
      now: Date.now,
      headers: host.headers,
      pause,
      ask: host.ask && (() => this.#ask()),
      waiting: () => host.dispatch({ type: "lose" }),
    };
  }

  async #ask(): Promise<URL | undefined> {
    this.#isAsking = true;
    try {
      return await this.#playback.host.ask?.();
    } finally {
      this.#isAsking = false;
    }
  }

  #listen(): void {
    const { signal } = this.#listening;
    const playback = this.#playback;
    const { video, host, position } = playback;
    const on = (types: string[], listener: () => void): void => {
      for (const type of types) video.addEventListener(type, listener, { signal });
    };
    const dispatch = (event: PlayerEvent) => () => host.dispatch(event);
    on(["loadeddata", "seeked"], dispatch({ type: "ready" }));
    on(["playing"], dispatch({ type: "play" }));
    on(["pause"], dispatch({ type: "pause" }));
    on(["waiting"], dispatch({ type: "wait" }));
    on(["ended"], dispatch({ type: "end" }));
    on(["seeking"], () => {
      if (video.currentTime < video.duration) host.dispatch({ type: "seek" });
    });
    on(["loadeddata"], () => {
      playback.hasLoaded = true;
      if (position.loaded()) host.resumed(position.second);
    });
    on(["loadedmetadata"], () => {
      const early = this.#early;
      this.#early = undefined;
      // Nothing has played yet.
      if (position.beginAnewNearEnd(this.length)) video.currentTime = 0;
      else if (early !== undefined) video.currentTime = Math.min(early, this.end);
    });
    on(["playing"], () => void this.#watch());
    on(["timeupdate", "seeking"], () => this.#follow());
    on(["waiting", "seeking"], () => this.#expectData());
    on(["playing", "pause", "ended", "loadeddata", "seeked"], () => this.#stopWaiting());
    // An error pauses, too.
    on(["pause"], () => (playback.isWanted &&= video.error !== null));
    on(["progress"], () => !playback.hls && !video.error && this.#arrive());
    on(["error"], () => this.#media.expect());
    on(["play"], () => {
      // A refused lecture does not go on from what is loaded.
      if (playback.isRefused) video.pause();
      else playback.isWanted = true;
    });
    // hls.js does not look at the connection.
    addEventListener("offline", () => this.#goOffline(), { signal });
    addEventListener("online", () => this.#goOnline(), { signal });
  }

  #goOffline(): void {
    const { hls, host, isOpened, isRefused } = this.#playback;
    if (this.#isFromDevice) return;
    if (this.#isOnDevice && !isRefused) return void this.#openAgain();
    if (isOpened) hls?.stopLoad();
    host.dispatch({ type: "lose" });
  }

  #goOnline(): void {
    const { hls, host, isOpened, isRefused, loadsFrom } = this.#playback;
    host.dispatch({ type: "arrive" });
    if (isRefused) return;
    if (isOpened) hls?.startLoad(loadsFrom);
    else void this.#native.recover();
  }

  /** Notes the second that plays. A new source resets the video element's. */
  #follow(): void {
    const { video, position, isRefused, hasLoaded } = this.#playback;
    const { readyState, currentTime, paused, seeking } = video;
    if (isRefused) return;
    if (!paused && !seeking) this.#media.plays(currentTime);
    if (readyState > 0 && (currentTime > 0 || hasLoaded)) position.second = currentTime;
  }

  /** Reports a wait that is too long for a viewer without an explanation. */
  #expectData(): void {
    clearTimeout(this.#stall);
    if (this.#playback.isRefused) return;
    this.#isWaiting = true;
    this.#stall = setTimeout(() => {
      const { host, isLost } = this.#playback;
      // The viewer waits for the course app, which has a time limit.
      if (this.#isAsking) return this.#expectData();
      if (!isLost && !this.#isLoading && this.#media.recoverStall()) return;
      const { problem } = this.#network;
      host.dispatch(isLost ? { type: "lose", problem } : { type: "stall" });
    }, STALL_MS);
  }

  #stopWaiting(): void {
    clearTimeout(this.#stall);
    this.#isWaiting = false;
  }

  /** Takes notice that something loaded. */
  #arrive(): void {
    this.#network.arrived();
    this.#playback.host.dispatch({ type: "arrive" });
    if (this.#isWaiting) this.#expectData();
  }

  /** Destroys hls.js. Returns whether it played the lecture. */
  #dropHls(): boolean {
    const { hls } = this.#playback;
    this.#playback.hls = undefined;
    hls?.destroy();
    return hls !== undefined;
  }

  /** The session that this tab had before it was reloaded, unless another tab plays with it. */
  async #keptSession(): Promise<string | undefined> {
    const session = this.#playback.passes?.session ?? keptSession(lectureOf(this.link));
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
    if (this.#playback.position.asksEdge) url.searchParams.set("with", "position");
    return url.href;
  }

  /** Takes notice of the Multivariant Playlist, before hls.js does. */
  #opened(hls: Hls, passes: Renewal, { text, url, headers }: OpenedPlaylist): void {
    const { position } = this.#playback;
    if (hls !== this.hls) return;
    this.#isFromDevice = headers.get("lectern-kept") !== null;
    this.#isOnDevice ||= this.#isFromDevice;
    position.setWatched(parsePosition(headers.get("lectern-position")));
    hls.config.startPosition = this.#playback.loadsFrom;
    if (passes.session) {
      keepSession(lectureOf(passes.link), passes.session);
      void this.#lock.hold(passes.session);
    }
    void this.#findExtras(hls, text, url);
  }

  /** Finds files beside the lecture, which the first frame does not need. */
  async #findExtras(hls: Hls, text: string, url: string): Promise<void> {
    const reader = await import("./session-data.ts").catch(() => undefined);
    if (reader && hls === this.hls)
      this.#playback.host.extras(reader.extrasIn(text, url, isAllowed));
  }

  #playWithHls(passes: Renewal): void {
    const playback = this.#playback;
    const { host, video } = playback;
    const loader = edgeLoader(passes, host.headers, (opened) => this.#opened(hls, passes, opened));
    const hls: Hls = this.choices.makeHls(loader);
    playback.hls = hls;
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      playback.isOpened = true;
      this.choices.restore(hls);
      this.#arrive();
      host.changed();
    });
    hls.on(Hls.Events.LEVEL_LOADED, (_event, { details }) => (playback.isLive = details.live));
    hls.on(Hls.Events.FRAG_LOADING, () => (this.#isLoading = true));
    hls.on(Hls.Events.FRAG_LOADED, () => (this.#isLoading = false));
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
      hls.on(event, () => host.changed());
    }
    this.#media.attach(hls);
    hls.on(Hls.Events.ERROR, (_event, data: ErrorData) => {
      // hls.js loads nothing after this one.
      if (data.details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR)
        this.refuse({ code: "unsupported" });
      else if (data.type === Hls.ErrorTypes.MEDIA_ERROR) this.#media.recover(hls, data);
      else void this.#network.recover(hls, passes, data);
    });
    hls.loadSource(this.#opening(passes));
    hls.attachMedia(video);
  }

  /**
   * Reports watch data. A refused report ends the reports and the lecture, until the viewer opens
   * it again.
   */
  async #watch(): Promise<void> {
    const playback = this.#playback;
    const { video, host } = playback;
    if (this.#isWatched || !claimsOf(this.link).sub) return;
    this.#isWatched = true;
    const { signal } = this.#listening;
    const current = (): string => playback.passes?.opening() ?? this.link.href;
    try {
      const { watch } = await import("./watching.ts");
      watch(
        video,
        current,
        host.headers,
        (problem) => {
          this.#isWatched = false;
          if (!this.#isDropped) playback.refuseFor(problem);
        },
        () => playback.isLive,
        signal,
      );
    } catch {
      // The script is tried again when the lecture plays on.
      this.#isWatched = false;
    }
  }

  /** Asks the edge for the viewer's position, where no playlist's headers name it. */
  async #findPosition(attempt: Attempt): Promise<void> {
    const { position } = this.#playback;
    if (!position.asksEdge) return;
    const watching = await import("./watching.ts").catch(() => undefined);
    const watched = await watching?.askPosition(this.link, this.headers);
    if (attempt.isCurrent) position.setWatched(watched);
  }

  /** Opens the link again and goes on at the same second. */
  #reopen(): void {
    const playback = this.#playback;
    const { hls, passes, video } = playback;
    if (!hls || !passes) return;
    const { playbackRate } = video;
    playback.keepPicture();
    playback.isOpened = false;
    hls.config.startPosition = playback.loadsFrom;
    hls.loadSource(this.#opening(passes));
    video.playbackRate = playbackRate;
    playback.playOn();
  }

  /** Opens the lecture from another source, at the same second. */
  async #openAgain(): Promise<void> {
    await this.open();
    this.#playback.playOn();
  }
}
