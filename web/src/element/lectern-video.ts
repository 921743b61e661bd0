// <lectern-video src renew-url poster start autoplay lang watermark>: a lecture with its
// controls. The controls load after the script that plays, so that the first frame does not wait
// for them.
import { Captions } from "../captions.ts";
import { cardOf } from "../card.ts";
import { fetchLink } from "../embedding.ts";
import { Engine } from "../engine.ts";
import { type Action, actionOf, isRepeated, nextSpeed } from "../keys.ts";
import { claimsOf, lectureOf } from "../link.ts";
import { keepPosition, keepSettings, keptPosition, settings } from "../memory.ts";
import { watermarkOf } from "../names.ts";
import { isAllowed, parseLink } from "../origins.ts";
import type { EngineHost } from "../playback.ts";
import type { Extras } from "../session-data.ts";
import { type Silence, skipTo } from "../silences.ts";
import { positionToKeep } from "../start.ts";
import {
  next,
  OPENING,
  type PlayerEvent,
  type PlayerState,
  type Refusal,
  stateName,
} from "../state.ts";
import { en, fill, formatNumber, languageOf, type Texts, textsOf } from "../texts/index.ts";
import { formatTime, parseTime } from "../time.ts";
import type { Controls } from "./controls.ts";
import { focusOf } from "./focus.ts";
import style from "./lectern-video.css";
import { toggleFullscreen, togglePip } from "./views.ts";

/** The wait for the first frame before the controls load, in milliseconds. */
const CONTROLS_AFTER_MS = 2_500;
/** The time for which a short message stays, in milliseconds. */
const NOTICE_MS = 2_500;
/** The time between two events `lectern:progress`, in seconds. */
const PROGRESS_STEP = 5;

/** How a lecture opens, beside its link. */
export interface Opening extends Partial<Pick<EngineHost, "headers" | "pages" | "ask">> {
  /** The second to start at. */
  start?: number;
}

export class LecternVideo extends HTMLElement {
  static readonly observedAttributes = ["src", "lang", "poster", "watermark"];

  readonly video: HTMLVideoElement = document.createElement("video");
  readonly captions: Captions;
  texts: Texts = en;
  extras: Extras = {};
  engine: Engine | undefined;
  #state: PlayerState = OPENING;
  #controls: Controls | undefined;
  #isLoading = false;
  #noticeTimer: ReturnType<typeof setTimeout> | undefined;
  #progressAt = -Infinity;
  #isReady = false;
  #hasStarted = false;
  #silences: Silence[] = [];
  #skipsSilence = settings().skipsSilence === true;
  /** The focus before a card took it. */
  #focusedBefore: HTMLElement | undefined;
  /** The attributes are read in a moment, when all of them are set. */
  #isOpening = false;
  /** The lecture of the element when it left the page. */
  #left: { src: string | null; link: URL; opening: Opening } | undefined;
  #opened: { link: URL; opening: Opening } | undefined;
  /** Listens while the element is in the page, which would else keep it for ever. */
  readonly #leavePage = (): void => this.#keepPosition();
  readonly #alert: HTMLElement = document.createElement("p");
  readonly #parts: Record<
    | "card"
    | "title"
    | "advice"
    | "retry"
    | "course"
    | "notice"
    | "start"
    | "controller"
    | "watermark",
    HTMLElement
  >;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [sheet];
    const make = <Name extends keyof HTMLElementTagNameMap>(
      name: Name,
      part: string,
    ): HTMLElementTagNameMap[Name] =>
      Object.assign(document.createElement(name), { className: part });
    // The library's element is not defined yet.
    const controller = document.createElement("media-controller");
    for (const name of ["nohotkeys", "nomutedpref", "novolumepref", "nosubtitleslangpref"])
      controller.setAttribute(name, "");
    const slot = document.createElement("slot");
    slot.name = "media";
    slot.slot = "media";
    controller.append(slot);
    const card = make("div", "card");
    const alert = document.createElement("slot");
    alert.name = "alert";
    const course = document.createElement("slot");
    course.name = "course";
    const title = make("p", "title");
    const text = make("p", "advice");
    const retry = Object.assign(make("button", "pill retry"), { type: "button" });
    retry.addEventListener("click", () => this.retry());
    card.append(alert, title, text, course, retry);
    const notice = make("p", "notice");
    for (const part of [title, text, notice]) part.setAttribute("role", "status");
    text.id = "advice";
    retry.setAttribute("aria-describedby", text.id);
    const watermark = make("div", "watermark");
    watermark.setAttribute("aria-hidden", "true");
    watermark.append(document.createElement("span"));
    const cues = make("div", "cues");
    cues.setAttribute("part", "captions");
    const start = Object.assign(make("button", "start"), { type: "button" });
    start.addEventListener("click", () => this.perform({ type: "toggle" }));
    root.append(start, controller, watermark, cues, notice, card);
    const shown = { card, title, advice: text, retry, course, notice, start };
    this.#parts = { ...shown, controller, watermark };
    this.captions = new Captions(this.video, cues, () => this.#controls?.update());
  }

  connectedCallback(): void {
    const { video } = this;
    addEventListener("pagehide", this.#leavePage);
    if (!video.isConnected) {
      // A clone has the parts of its original, as on a page that Turbo brings back.
      for (const part of this.querySelectorAll("[slot=media], [slot=alert]")) part.remove();
      Object.assign(video, { slot: "media", playsInline: true, preload: "auto" });
      Object.assign(this.#alert, { slot: "alert", hidden: true });
      this.#alert.setAttribute("role", "alert");
      this.append(video, this.#alert);
      this.#listen();
    }
    if (!this.hasAttribute("tabindex")) this.tabIndex = -1;
    // Not a region: a page with two players would have two of one name.
    if (!this.hasAttribute("role")) this.setAttribute("role", "group");
    this.#showPoster();
    this.#render();
    if (!this.engine) {
      const left = this.#left;
      if (left && left.src === this.getAttribute("src")) this.open(left.link, left.opening);
      else if (this.hasAttribute("src")) this.#openSoon();
    }
    this.#left = undefined;
    void this.#translate();
  }

  disconnectedCallback(): void {
    this.#keepPosition();
    // An element that only moves is in the page again by then, and plays on.
    queueMicrotask(() => {
      if (this.isConnected) return;
      removeEventListener("pagehide", this.#leavePage);
      if (!this.engine) return;
      const { link, position: start } = this.engine;
      const src = this.getAttribute("src");
      this.#left = { src, link, opening: { ...this.#opened?.opening, start } };
      this.engine.destroy();
      this.engine = undefined;
    });
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now || !this.isConnected) return;
    if (name === "src") this.#openSoon();
    else if (name === "lang") void this.#translate();
    else if (name === "watermark") this.#render();
    else this.#showPoster();
  }

  get state(): PlayerState {
    return this.#state;
  }

  /** The language of the controls. */
  get language(): string {
    return languageOf(this.lang || this.closest<HTMLElement>("[lang]")?.lang || "en");
  }

  /** Silences that the package lists. */
  set silences(silences: Silence[]) {
    this.#silences = silences;
    this.#controls?.update();
  }

  get hasSilences(): boolean {
    return this.#silences.length > 0;
  }

  get skipsSilence(): boolean {
    return this.#skipsSilence;
  }

  /** The viewer's choice, for this and later lectures. */
  set skipsSilence(skips: boolean) {
    this.#skipsSilence = skips;
    keepSettings({ skipsSilence: skips });
  }

  /** Opens a link. The page shows why not, if it does not open. */
  open(link: URL, opening: Opening = {}): void {
    const { headers = {}, pages = [], ask, start } = opening;
    this.#close();
    this.#opened = { link, opening };
    const kept = keptPosition(lectureOf(link));
    const engine = new Engine(this.video, link, { asked: start, kept }, {
      headers,
      pages,
      ask,
      dispatch: (event) => this.engine === engine && this.#dispatch(event),
      changed: () => this.#controls?.update(),
      extras: (extras) => {
        this.extras = extras;
        // A kept picture shows more.
        if (!this.video.poster) this.#showPoster();
        this.#controls?.extras();
      },
      resumed: (second) => this.#offerStart(second),
      skipped: () => this.notice(this.texts.skipped),
    });
    this.engine = engine;
    if (!isAllowed(link)) return engine.refuse({ code: "other_site" });
    const { speed, volume } = settings();
    if (speed) this.video.defaultPlaybackRate = this.video.playbackRate = speed;
    if (volume !== undefined) this.video.volume = Math.min(1, Math.max(0, volume));
    void engine.open().then(() => {
      if (this.hasAttribute("autoplay")) void this.video.play().catch(() => {});
    });
    setTimeout(() => void this.#loadControls(), CONTROLS_AFTER_MS);
  }

  /** Shows why nothing plays. */
  refuse(refusal: Refusal): void {
    if (this.engine) this.engine.refuse(refusal);
    else this.#dispatch({ type: "refuse", refusal });
  }

  /** Opens the lecture again, at the second where it stopped. */
  retry(): void {
    const { trouble, playback } = this.#state;
    if (!trouble && playback === "ended") {
      void this.video.play().catch(() => {});
      return;
    }
    void this.engine?.retry().then(() => this.video.play().catch(() => {}));
  }

  /** Does what a key or a control asks for. */
  perform(action: Action): void {
    const { video } = this;
    const isStopped = this.#state.trouble?.kind === "refused";
    if (isStopped && action.type !== "close" && action.type !== "fullscreen") return;
    switch (action.type) {
      case "toggle":
        if (video.paused) void video.play().catch(() => {});
        else video.pause();
        break;
      case "seek_by":
        this.seek(video.currentTime + action.seconds);
        break;
      case "seek_to":
        this.seek((this.engine?.end ?? 0) * action.share);
        break;
      case "louder":
        video.muted = false;
        video.volume = Math.min(1, Math.max(0, Math.round((video.volume + action.by) * 100) / 100));
        keepSettings({ volume: video.volume });
        this.#showVolume();
        break;
      case "faster":
        this.setSpeed(nextSpeed(video.playbackRate, action.steps));
        break;
      case "mute":
        video.muted = !video.muted;
        this.#showVolume();
        break;
      case "captions":
        this.#toggleCaptions();
        break;
      case "fullscreen":
        void toggleFullscreen(this, video);
        break;
      case "pip":
        void togglePip(video);
        break;
      case "help":
        this.#controls?.toggle("keyboard");
        break;
      case "notes":
      case "transcript":
        this.#controls?.toggle(action.type);
        break;
      case "close":
        this.#controls?.close();
        break;
    }
    this.#controls?.wake();
  }

  seek(seconds: number): void {
    this.engine?.seek(seconds);
  }

  setSpeed(speed: number): void {
    this.video.defaultPlaybackRate = this.video.playbackRate = speed;
    keepSettings({ speed });
    this.notice(fill(this.texts.speed_is, { speed: formatNumber(speed, this.language) }));
  }

  #showVolume(): void {
    const { texts, video, language } = this;
    const percent = formatNumber(video.volume, language, "percent");
    this.notice(video.muted ? texts.muted : fill(texts.volume_is, { percent }));
  }

  /** Shows a short message, which a screen reader says. */
  notice(text: string, ...buttons: HTMLElement[]): void {
    const { notice } = this.#parts;
    clearTimeout(this.#noticeTimer);
    notice.replaceChildren(text, ...buttons);
    this.#noticeTimer = setTimeout(
      () => notice.replaceChildren(),
      buttons.length > 0 ? 4 * NOTICE_MS : NOTICE_MS,
    );
  }

  /** Handles a key of this element or of its page. */
  handleKey(event: KeyboardEvent): void {
    if (event.defaultPrevented) return;
    const focus = focusOf(event);
    // A held Enter would press a button again and again.
    if (event.repeat && focus === "button" && event.key === "Enter") event.preventDefault();
    const action = actionOf(event, focus, settings().shortcuts);
    if (!action) return;
    if (action.type !== "close") event.preventDefault();
    if (!event.repeat || isRepeated(action)) this.perform(action);
  }

  /** Opens `src` when the script that sets attributes has set all of them. */
  #openSoon(): void {
    if (this.#isOpening) return;
    this.#isOpening = true;
    queueMicrotask(() => {
      this.#isOpening = false;
      if (this.isConnected) this.#openSource();
    });
  }

  /** Drops the lecture, and its files. */
  #close(): void {
    this.#keepPosition();
    this.engine?.destroy();
    this.engine = undefined;
    this.#dispatch({ type: "open" });
    this.#isReady = this.#hasStarted = false;
    this.#progressAt = -Infinity;
    this.notice("");
    this.extras = {};
    this.#showPoster();
    this.#controls?.extras();
  }

  /** Shows the page's poster, else the lecture's. An empty URL would name the page itself. */
  #showPoster(): void {
    const poster = this.getAttribute("poster") || this.extras.poster;
    if (poster) this.video.poster = poster;
    else this.video.removeAttribute("poster");
  }

  #openSource(): void {
    const link = parseLink(this.getAttribute("src"));
    if (!link) {
      this.#close();
      return this.refuse({ code: "no_link" });
    }
    const renewUrl = this.getAttribute("renew-url");
    const ask = renewUrl === null ? undefined : () => renewedLink(renewUrl);
    this.open(link, { ask, start: parseTime(this.getAttribute("start")) });
  }

  async #translate(): Promise<void> {
    const { language } = this;
    const texts = await textsOf(language);
    // The language may change while the texts of another load.
    if (language !== this.language) return;
    this.texts = texts;
    this.setAttribute("aria-label", texts.player);
    this.#controls?.translate(language);
    this.#render();
  }

  #listen(): void {
    const { video } = this;
    this.addEventListener("keydown", (event) => this.handleKey(event));
    for (const type of ["loadeddata", "error"])
      video.addEventListener(type, () => void this.#loadControls());
    video.addEventListener("timeupdate", () => this.#progress());
    video.addEventListener("resize", () => {
      const { videoWidth, videoHeight } = video;
      if (!videoWidth || !videoHeight) return;
      this.#parts.watermark.style.setProperty("--ratio", String(videoWidth / videoHeight));
    });
    for (const type of ["pause", "seeked"])
      video.addEventListener(type, () => this.#keepPosition());
  }

  /** Goes on behind a silence, if the viewer asks for that. */
  #skipSilence(): void {
    const { currentTime, paused, seeking } = this.video;
    if (!this.#skipsSilence || paused || seeking) return;
    const end = skipTo(this.#silences, currentTime);
    if (end === undefined) return;
    this.seek(end);
    this.notice(fill(this.texts.skipped_silence, { seconds: Math.round(end - currentTime) }));
  }

  #progress(): void {
    this.#skipSilence();
    const { currentTime } = this.video;
    if (Math.abs(currentTime - this.#progressAt) < PROGRESS_STEP) return;
    this.#progressAt = currentTime;
    this.#keepPosition();
    this.#emit("progress", this.#times());
  }

  #times(): { currentTime: number; duration: number } {
    return { currentTime: this.video.currentTime, duration: this.video.duration };
  }

  /** The second at which the lecture goes on. A video that has not loaded is at 0. */
  #second(): number {
    return this.engine?.position ?? this.video.currentTime;
  }

  #keepPosition(): void {
    const { currentTime, duration } = this.video;
    if (!this.engine || !Number.isFinite(duration) || currentTime === 0) return;
    keepPosition(lectureOf(this.engine.link), positionToKeep(currentTime, this.engine.length));
  }

  #offerStart(seconds: number): void {
    const button = Object.assign(document.createElement("button"), {
      type: "button",
      textContent: this.texts.start_over,
    });
    button.addEventListener("click", () => {
      this.seek(0);
      this.notice("");
    });
    this.notice(fill(this.texts.resumed, { time: formatTime(seconds) }), button);
  }

  #dispatch(event: PlayerEvent): void {
    const before = this.#state;
    this.#state = next(before, event);
    if (event.type === "ready" && !this.#isReady) {
      this.#isReady = true;
      this.#emit("ready", this.#times());
    } else if (event.type === "play" && before.playback !== "playing") {
      this.#emit("play", this.#times());
    } else if (event.type === "end" && this.#state.playback === "ended") {
      this.#emit("ended", { ...this.#times(), preview: this.#isPreview() });
    } else if (event.type === "refuse" && before.trouble?.kind !== "refused") {
      const times = { ...this.#times(), currentTime: this.#second() };
      this.#emit("error", { code: event.refusal.code ?? "cannot_open", ...times });
    }
    if (this.#state !== before) this.#render();
  }

  /**
   * Tells the page by an event of the element: `lectern:ready`, `play`, `progress`, `ended` or
   * `error`.
   */
  #emit(name: string, detail: object): void {
    this.dispatchEvent(
      new CustomEvent(`lectern:${name}`, { detail, bubbles: true, composed: true }),
    );
  }

  #isPreview(): boolean {
    return this.engine !== undefined && claimsOf(this.engine.link).preview !== undefined;
  }

  #render(): void {
    const { texts } = this;
    const { playback, trouble } = this.#state;
    const { card, title, advice: text, retry, course, start, watermark } = this.#parts;
    this.#hasStarted ||= playback === "playing";
    start.hidden = this.#hasStarted || playback !== "paused" || trouble?.kind === "refused";
    start.setAttribute("aria-label", texts.play);
    this.setAttribute("state", stateName(this.#state));
    this.toggleAttribute("waiting", playback === "waiting" || playback === "opening");
    const shown = cardOf(this.#state, texts, {
      second: this.#second(),
      isPreview: this.#isPreview(),
      hasPanel: this.shadowRoot!.querySelector("[role=dialog]") !== null,
    });
    const { alert } = shown;
    // The text changes before it shows, for those who wait for it.
    if (alert && this.#alert.textContent !== alert) this.#alert.textContent = alert;
    this.#alert.hidden = !alert;
    title.textContent = shown.title;
    text.textContent = shown.advice;
    course.hidden = !shown.hasCourse;
    if (shown.button) retry.textContent = shown.button;
    retry.hidden = !shown.button;
    card.classList.toggle("small", shown.isSmall);
    this.#showCard(shown.isShown, shown.isSmall, trouble?.kind === "refused");
    // Only the edge verifies a link, so that its name shows once the lecture has opened.
    const marked = watermarkOf(this.getAttribute("watermark"), this.engine?.link);
    const name = this.#isReady || this.hasAttribute("watermark") ? marked : "";
    watermark.hidden = !name;
    // A small window shows the video without its watermark.
    if (this.video.disablePictureInPicture !== Boolean(marked)) {
      this.video.disablePictureInPicture = Boolean(marked);
      this.#controls?.update();
    }
    if (watermark.textContent !== name) watermark.firstElementChild!.textContent = name;
    if (trouble?.kind === "refused") {
      this.#controls?.close();
      void this.#loadControls();
    }
  }

  /** Shows or hides the card. Its button gets the focus, which then goes back. */
  #showCard(isShown: boolean, isSmall: boolean, isFinal: boolean): void {
    const { card, controller, retry } = this.#parts;
    const root = this.shadowRoot!;
    const covered = isShown && !isSmall;
    const hasFocus = card.contains(root.activeElement);
    const { activeElement } = root;
    card.hidden = !isShown;
    // What is inert loses the focus, and cannot get it.
    controller.toggleAttribute("inert", isFinal);
    if (covered && !hasFocus && !retry.hidden && this.#mayFocus()) {
      this.#focusedBefore ??= activeElement instanceof HTMLElement ? activeElement : this;
      retry.focus({ preventScroll: true });
    } else if (!covered && this.#focusedBefore) {
      const before = this.#focusedBefore;
      this.#focusedBefore = undefined;
      const target = before.isConnected && before.checkVisibility() ? before : this;
      if (hasFocus || this.#mayFocus()) target.focus({ preventScroll: true });
    }
  }

  /** Returns whether nothing else of the page has the focus, and the viewer types nothing. */
  #mayFocus(): boolean {
    const { activeElement, body } = document;
    if (this.shadowRoot?.activeElement?.matches("input, select, textarea")) return false;
    return activeElement === null || activeElement === body || this.contains(activeElement);
  }

  async #loadControls(): Promise<void> {
    if (this.#isLoading) return;
    this.#isLoading = true;
    try {
      const { attachControls } = await import("./controls.ts");
      this.#controls = attachControls(this, this.#parts.controller, this.shadowRoot!);
      this.#controls.translate(this.language);
      this.#controls.extras();
      this.video.controls = false;
    } catch {
      // The browser's own controls need no script.
      this.video.controls = true;
      this.#isLoading = false;
    }
  }

  #toggleCaptions(): void {
    const { captions, texts } = this;
    if (captions.tracks().length === 0) return this.notice(texts.no_captions);
    captions.toggle();
    const { chosen } = captions;
    this.notice(
      chosen
        ? fill(texts.captions_on, { name: chosen.label || chosen.language })
        : texts.captions_off,
    );
  }
}

/** A new link of the course app, if it opens a lecture that this page may play. */
async function renewedLink(url: string): Promise<URL | undefined> {
  const link = parseLink(await fetchLink(url));
  return link && isAllowed(link) ? link : undefined;
}

if (!customElements.get("lectern-video")) customElements.define("lectern-video", LecternVideo);
