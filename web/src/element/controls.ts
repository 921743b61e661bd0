// The controls of <lectern-video>: media-chrome's bar and buttons, and panels of our own. Loaded
// after the first frame.
import "media-chrome/dist/media-airplay-button.js";
import "media-chrome/dist/media-controller.js";
import "media-chrome/dist/media-fullscreen-button.js";
import "media-chrome/dist/media-mute-button.js";
import "media-chrome/dist/media-pip-button.js";
import "media-chrome/dist/media-play-button.js";
import "media-chrome/dist/media-time-display.js";
import "media-chrome/dist/media-time-range.js";
import "media-chrome/dist/media-volume-range.js";
import { addTranslation, setLanguage } from "media-chrome/dist/utils/i18n.js";
import { SPEEDS } from "../keys.ts";
import { keepSettings } from "../memory.ts";
import { fill, type TextKey, type Texts } from "../texts/index.ts";
import { formatTime } from "../time.ts";
import style from "./controls.css";
import {
  chapterAt,
  type Chapter,
  parseChapters,
  parseStoryboard,
  search,
  type Line,
} from "./extras.ts";
import type { LecternVideo } from "./lectern-video.ts";

export type PanelName = "settings" | "chapters" | "transcript" | "keyboard";

export interface Controls {
  /** Shows what changed: qualities, audio tracks or captions. */
  update(): void;
  /** Loads the files beside the lecture. */
  extras(): void;
  /** Shows the texts of another language. */
  speak(language: string): void;
  toggle(panel: PanelName): void;
  close(): void;
  /** Shows the controls for a moment. */
  wake(): void;
}

/** Paths of icons, 24 by 24. */
const ICONS = {
  captions:
    "M5 5h14a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Zm0 1.8a.2.2 0 0 0-.2.2v10c0 .1.1.2.2.2h14a.2.2 0 0 0 .2-.2V7a.2.2 0 0 0-.2-.2ZM11 10.6H9.5v-.4H7.6v3.6h1.9v-.4H11v.8c0 .6-.5 1.1-1.1 1.1H7.200c-.6 0-1.100-.5-1.100-1.100V9.800c0-.6.5-1.100 1.100-1.100h2.700c.6 0 1.100.5 1.100 1.100Zm6.900 0h-1.500v-.4h-1.900v3.600h1.900v-.4h1.500v.8c0 .6-.5 1.100-1.100 1.100h-2.700c-.6 0-1.100-.5-1.100-1.100V9.800c0-.6.5-1.100 1.100-1.100h2.700c.6 0 1.100.5 1.100 1.100Z",
  settings:
    "M13.900 2.500 14.400 5a7.300 7.300 0 0 1 1.800 1l2.400-.8 1.900 3.300-1.900 1.700a7.300 7.300 0 0 1 0 2.100l1.900 1.700-1.900 3.300-2.400-.8a7.300 7.300 0 0 1-1.800 1l-.5 2.500h-3.800L9.600 17.500a7.300 7.300 0 0 1-1.800-1l-2.400.8L3.500 14l1.900-1.700a7.300 7.300 0 0 1 0-2.100L3.500 8.500l1.900-3.300 2.400.8a7.300 7.300 0 0 1 1.800-1l.5-2.500ZM12 8.200a3.050 3.050 0 1 0 0 6.100 3.050 3.050 0 0 0 0-6.100Z",
  chapters:
    "M4 5.500h2.500V8H4Zm5 .3h11v1.900H9Zm-5 5H6.500v2.500H4Zm5 .3h11v1.900H9Zm-5 5H6.500v2.500H4Zm5 .3h11v1.900H9Z",
  transcript: "M4 4.500h16v1.900H4Zm0 4.400h16v1.900H4Zm0 4.400h10v1.900H4Zm0 4.400h7v1.900H4Z",
  keyboard:
    "M4 6h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2Zm0 1.800a.2.2 0 0 0-.2.2v8c0 .1.1.2.2.2h16a.2.2 0 0 0 .2-.2V8a.2.2 0 0 0-.2-.2ZM5.500 9.200h2v2h-2Zm3.700 0h2v2h-2Zm3.700 0h2v2h-2Zm3.700 0h2v2h-2ZM7.500 13h9v1.800h-9Z",
  close:
    "m6.400 5 5.600 5.600L17.600 5 19 6.400 13.400 12l5.600 5.600-1.400 1.400-5.600-5.600L6.400 19 5 17.600l5.600-5.600L5 6.400Z",
};

const KEYS: readonly [string[], TextKey][] = [
  [["space", "K"], "key_play"],
  [["J", "L"], "key_seek_10"],
  [["←", "→"], "key_seek_5"],
  [["↑", "↓"], "key_volume"],
  [["<", ">"], "key_speed"],
  [["M"], "key_mute"],
  [["C"], "key_captions"],
  [["F"], "key_fullscreen"],
  [["P"], "key_picture"],
  [["0", "9"], "key_digits"],
  [["Home", "End"], "key_ends"],
  [["?"], "key_help"],
];

/** Makes an element with attributes and children. */
function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes))
    element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

/** An element of media-chrome. */
function chrome(name: string, attributes: Record<string, string> = {}): HTMLElement {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes))
    element.setAttribute(attribute, value);
  return element;
}

function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  shape.setAttribute("fill-rule", "evenodd");
  svg.append(shape);
  return svg;
}

class PlayerControls implements Controls {
  readonly #player: LecternVideo;
  readonly #controller: HTMLElement & { fullscreenElement?: HTMLElement };
  readonly #root: ShadowRoot;
  #bar: HTMLElement | undefined;
  #panel: { name: PanelName; element: HTMLElement; opener: HTMLElement | undefined } | undefined;
  #buttons: Partial<Record<PanelName | "captions", HTMLButtonElement>> = {};
  #chapters: Chapter[] = [];
  #lines: Line[] = [];
  #loaded: { storyboard?: string; chapters?: string } = {};
  #thumbnails: TextTrack | undefined;
  #marks: TextTrack | undefined;

  constructor(player: LecternVideo, controller: HTMLElement, root: ShadowRoot) {
    this.#player = player;
    this.#controller = controller;
    this.#root = root;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    this.#controller.fullscreenElement = player;
    controller.addEventListener("userinactivechange", () => this.#follow());
    for (const type of ["play", "pause"]) player.video.addEventListener(type, () => this.#follow());
    player.video.addEventListener("timeupdate", () => {
      // Cues come while a lecture plays.
      if (this.#panel?.name === "transcript") this.#listLines();
      this.#mark();
    });
    player.video.addEventListener("volumechange", () => {
      if (!player.video.muted) keepSettings({ volume: player.video.volume });
    });
  }

  speak(language: string): void {
    addTranslation(language, translation(this.#player.texts));
    setLanguage(language);
    this.close();
    this.#bar?.remove();
    this.#bar = this.#makeBar();
    this.#controller.append(this.#bar);
    this.update();
  }

  update(): void {
    const {
      player: { captions },
      texts,
    } = this.#context();
    const button = this.#buttons.captions;
    if (button) {
      button.hidden = captions.tracks().length === 0;
      button.setAttribute("aria-pressed", String(captions.chosen !== undefined));
    }
    if (this.#buttons.transcript) this.#buttons.transcript.hidden = captions.tracks().length === 0;
    if (this.#buttons.chapters) this.#buttons.chapters.hidden = this.#chapters.length === 0;
    if (this.#panel?.name === "settings") this.#fillSettings(this.#panel.element, texts);
  }

  extras(): void {
    const { engine, extras } = this.#player;
    // Those of the lecture before.
    if (!extras.chapters && this.#loaded.chapters) {
      this.#loaded.chapters = undefined;
      this.#showChapters([]);
    }
    if (!extras.storyboard && this.#loaded.storyboard) {
      this.#loaded.storyboard = undefined;
      this.#showThumbnails([]);
    }
    if (!engine) return;
    if (extras.chapters && extras.chapters !== this.#loaded.chapters) {
      this.#loaded.chapters = extras.chapters;
      engine
        .file(extras.chapters)
        .then((answer) => answer.text())
        .then((text) => {
          if (this.#player.extras.chapters !== extras.chapters) return;
          this.#showChapters(parseChapters(text, this.#player.lang || navigator.language));
        })
        // Without chapters, the lecture plays all the same.
        .catch(() => {});
    }
    if (extras.storyboard && extras.storyboard !== this.#loaded.storyboard) {
      this.#loaded.storyboard = extras.storyboard;
      void this.#loadThumbnails();
    }
  }

  async #loadThumbnails(): Promise<void> {
    const { storyboard } = this.#loaded;
    if (!storyboard) return;
    try {
      const answer = await this.#player.engine?.file(storyboard);
      const isCurrent = this.#player.extras.storyboard === storyboard;
      if (answer && isCurrent)
        this.#showThumbnails(parseStoryboard(await answer.text(), answer.url || storyboard));
    } catch {
      // The bar shows times without pictures.
    }
  }

  /** Pictures have passes, which end while a page is open. */
  #renewThumbnails(): void {
    const cue = this.#thumbnails?.cues?.[0];
    if (cue instanceof VTTCue && this.#player.engine?.isOver(cue.text)) void this.#loadThumbnails();
  }

  toggle(name: PanelName): void {
    const isOpen = this.#panel?.name === name;
    this.close();
    if (!isOpen) this.#open(name);
  }

  close(): void {
    if (!this.#panel) return;
    const { element, opener, name } = this.#panel;
    this.#panel = undefined;
    const hadFocus = element.contains(this.#root.activeElement);
    element.remove();
    this.#buttons[name]?.setAttribute("aria-expanded", "false");
    this.#bar?.removeAttribute("noautohide");
    if (hadFocus) opener?.focus();
    this.#follow();
  }

  wake(): void {
    this.#controller.dispatchEvent(new KeyboardEvent("keyup", { key: "Shift" }));
  }

  #context(): { player: LecternVideo; texts: Texts } {
    return { player: this.#player, texts: this.#player.texts };
  }

  /** Captions make room for the bar while it shows. */
  #follow(): void {
    const isIdle =
      this.#controller.hasAttribute("userinactive") && !this.#player.video.paused && !this.#panel;
    this.#player.toggleAttribute("idle", isIdle);
  }

  #makeBar(): HTMLElement {
    const { player, texts } = this.#context();
    const named = (name: PanelName | "captions", act: () => void): HTMLButtonElement => {
      const label = texts[name];
      const button = make(
        "button",
        { type: "button", class: `button ${name}`, "aria-label": label, title: label },
        icon(ICONS[name]),
      );
      if (name === "captions") button.setAttribute("aria-pressed", "false");
      else button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", act);
      this.#buttons[name] = button;
      return button;
    };
    const row = make(
      "div",
      { class: "row" },
      chrome("media-play-button", { notooltip: "" }),
      make(
        "div",
        { class: "sound" },
        chrome("media-mute-button", { notooltip: "" }),
        chrome("media-volume-range"),
      ),
      chrome("media-time-display", { showduration: "", notoggle: "" }),
      make("span", { class: "chapter", "aria-hidden": "true" }),
      make("span", { class: "space" }),
      named("chapters", () => this.toggle("chapters")),
      named("transcript", () => this.toggle("transcript")),
      named("captions", () => player.perform({ type: "captions" })),
      named("settings", () => this.toggle("settings")),
      named("keyboard", () => this.toggle("keyboard")),
      chrome("media-airplay-button", { notooltip: "" }),
      chrome("media-pip-button", { notooltip: "" }),
      chrome("media-fullscreen-button", { notooltip: "" }),
    );
    const range = chrome("media-time-range");
    for (const [type, isOver] of [
      ["pointerenter", true],
      ["pointerleave", false],
    ] as const) {
      range.addEventListener(type, () => player.toggleAttribute("scrubbing", isOver));
    }
    range.addEventListener("pointerenter", () => this.#renewThumbnails());
    return make("div", { class: "bar" }, range, row);
  }

  #open(name: PanelName): void {
    const { texts } = this.#context();
    const close = make(
      "button",
      { type: "button", class: "button", "aria-label": texts.close, title: texts.close },
      icon(ICONS.close),
    );
    close.addEventListener("click", () => this.close());
    const title = make("h2", { id: "panel-title" }, texts[name]);
    const body = make("div", { class: "body" });
    const element = make(
      "div",
      { class: `panel ${name}`, role: "dialog", "aria-labelledby": "panel-title" },
      make("div", { class: "head" }, title, close),
      body,
    );
    const focused = this.#root.activeElement;
    this.#panel = {
      name,
      element,
      opener: focused instanceof HTMLElement ? focused : this.#buttons[name],
    };
    this.#root.append(element);
    this.#buttons[name]?.setAttribute("aria-expanded", "true");
    this.#bar?.setAttribute("noautohide", "");
    if (name === "settings") this.#fillSettings(element, texts);
    else if (name === "chapters") this.#fillChapters(body);
    else if (name === "transcript") this.#fillTranscript(body, texts);
    else fillKeys(body, texts);
    const first = element.querySelector<HTMLElement>(
      "input:checked, .body input, .body button[aria-current], .body button",
    );
    (first ?? close).focus();
    this.#follow();
    this.#mark();
  }

  #fillSettings(element: HTMLElement, texts: Texts): void {
    const { captions, engine, video } = this.#player;
    const body = element.querySelector(".body");
    if (!body) return;
    const focused = this.#root.activeElement?.id;
    const groups: HTMLElement[] = [];
    const qualities = engine?.qualities() ?? [];
    if (qualities.length > 1) {
      const auto =
        engine!.quality < 0 && engine!.height > 0
          ? fill(texts.auto_at, { height: engine!.height })
          : texts.auto;
      const choices: Choice[] = [
        [auto, -1],
        ...qualities.map(({ height, id }): Choice => [`${height}p`, id]),
      ];
      groups.push(
        group("quality", texts.quality, choices, engine!.quality, (id) => (engine!.quality = id)),
      );
    }
    const speeds = SPEEDS.map((speed): Choice => [`${speed}×`, speed]);
    groups.push(
      group("speed", texts.speed, speeds, video.playbackRate, (speed) =>
        this.#player.setSpeed(speed),
      ),
    );
    const tracks = captions.tracks();
    if (tracks.length > 0) {
      const choices: Choice[] = [
        [texts.off, -1],
        ...tracks.map((track, id): Choice => [track.label || track.language || String(id + 1), id]),
      ];
      const chosen = captions.chosen ? tracks.indexOf(captions.chosen) : -1;
      groups.push(
        group("captions", texts.captions, choices, chosen, (id) => captions.choose(tracks[id])),
      );
    }
    const audio = engine?.audioChoices() ?? [];
    if (audio.length > 1) {
      groups.push(
        group(
          "audio",
          texts.audio,
          audio.map(({ name, id }): Choice => [name, id]),
          engine!.audio,
          (id) => (engine!.audio = id),
        ),
      );
    }
    body.replaceChildren(...groups);
    if (focused) this.#root.getElementById(focused)?.focus();
  }

  #fillChapters(body: HTMLElement): void {
    const items = this.#chapters.map(({ start, title }) => {
      const time = make("span", { class: "time" }, formatTime(start));
      const button = make(
        "button",
        { type: "button", "data-start": String(start) },
        time,
        make("span", {}, title),
      );
      button.addEventListener("click", () => this.#player.seek(start));
      return make("li", {}, button);
    });
    body.replaceChildren(make("ol", {}, ...items));
  }

  #fillTranscript(body: HTMLElement, texts: Texts): void {
    const { captions } = this.#player;
    // Cues load for a chosen track only.
    if (!captions.chosen) captions.toggle();
    const input = make("input", {
      type: "search",
      "aria-label": texts.search_transcript,
      placeholder: texts.search_transcript,
    });
    input.addEventListener("input", () => this.#listLines(true));
    const none = make("p", { class: "none", role: "status" });
    body.replaceChildren(input, none, make("ol", { class: "lines" }));
    this.#lines = [];
    this.#listLines(true);
  }

  #listLines(isForced = false): void {
    const body = this.#panel?.element.querySelector(".body");
    const cues = this.#player.captions.chosen?.cues;
    if (!body || !cues || (!isForced && cues.length === this.#lines.length)) return;
    this.#lines = [...cues].map((cue) => ({
      start: cue.startTime,
      text: cue instanceof VTTCue ? (cue.getCueAsHTML().textContent ?? "") : "",
    }));
    const found = search(this.#lines, body.querySelector("input")?.value ?? "");
    const items = found.map(({ start, text }) => {
      const button = make(
        "button",
        { type: "button", "data-start": String(start) },
        make("span", { class: "time" }, formatTime(start)),
        make("span", { dir: "auto" }, text),
      );
      button.addEventListener("click", () => this.#player.seek(start));
      return make("li", {}, button);
    });
    body.querySelector(".lines")?.replaceChildren(...items);
    const none = body.querySelector(".none");
    if (none)
      none.textContent =
        found.length === 0 && this.#lines.length > 0 ? this.#player.texts.no_matches : "";
    this.#mark();
  }

  /** Marks what plays now, in the bar and in an open list. */
  #mark(): void {
    const { currentTime } = this.#player.video;
    const label = this.#bar?.querySelector(".chapter");
    const title = chapterAt(this.#chapters, currentTime)?.title ?? "";
    if (label && label.textContent !== title) label.textContent = title;
    const buttons = [...(this.#panel?.element.querySelectorAll<HTMLElement>("[data-start]") ?? [])];
    const current = buttons.findLast(({ dataset }) => Number(dataset.start) <= currentTime + 0.05);
    for (const button of buttons) {
      if (button === current) {
        if (button.hasAttribute("aria-current")) continue;
        button.setAttribute("aria-current", "true");
        const list = button.closest<HTMLElement>(".body");
        // Only the list scrolls, not the page.
        if (list && !list.contains(this.#root.activeElement))
          list.scrollTop = button.offsetTop - list.clientHeight / 3;
      } else button.removeAttribute("aria-current");
    }
  }

  #showChapters(chapters: Chapter[]): void {
    this.#chapters = chapters;
    this.#marks ??= this.#player.video.addTextTrack("chapters", "chapters");
    this.#marks.mode = "hidden";
    for (const cue of [...(this.#marks.cues ?? [])]) this.#marks.removeCue(cue);
    const { duration } = this.#player.video;
    for (const [at, { start, title }] of chapters.entries()) {
      const end =
        chapters[at + 1]?.start ?? (Number.isFinite(duration) ? duration : start + 86_400);
      this.#marks.addCue(new VTTCue(start, Math.max(start + 0.001, end), title));
    }
    this.#player.video.textTracks.dispatchEvent(new Event("change"));
    this.update();
  }

  #showThumbnails(thumbnails: ReturnType<typeof parseStoryboard>): void {
    this.#thumbnails ??= this.#player.video.addTextTrack("metadata", "thumbnails");
    this.#thumbnails.mode = "hidden";
    for (const cue of [...(this.#thumbnails.cues ?? [])]) this.#thumbnails.removeCue(cue);
    for (const { start, end, url } of thumbnails)
      this.#thumbnails.addCue(new VTTCue(start, end, url));
  }
}

type Choice = [name: string, value: number];

/** Radio buttons that look like chips. */
function group(
  name: string,
  label: string,
  choices: Choice[],
  chosen: number,
  choose: (value: number) => void,
): HTMLElement {
  const chips = choices.map(([text, value]) => {
    const input = make("input", {
      type: "radio",
      name,
      id: `${name}-${value}`,
      value: String(value),
    });
    input.checked = value === chosen;
    input.addEventListener("change", () => choose(value));
    return make("label", {}, input, make("span", {}, text));
  });
  return make("fieldset", {}, make("legend", {}, label), make("div", { class: "chips" }, ...chips));
}

function fillKeys(body: HTMLElement, texts: Texts): void {
  const rows = KEYS.map(([keys, text]) => {
    const caps = keys.flatMap((key) => [make("kbd", {}, key === "space" ? texts.space : key), " "]);
    return make("div", {}, make("dt", {}, ...caps), make("dd", {}, texts[text]));
  });
  body.replaceChildren(make("dl", {}, ...rows));
  body.tabIndex = 0;
}

/** Texts of media-chrome. */
function translation(texts: Texts): Record<string, string> {
  return {
    "video player": texts.player,
    play: texts.play,
    pause: texts.mc_pause,
    mute: texts.mc_mute,
    unmute: texts.mc_unmute,
    seek: texts.mc_seek,
    volume: texts.mc_volume,
    "enter fullscreen mode": texts.mc_enter_fullscreen,
    "exit fullscreen mode": texts.mc_exit_fullscreen,
    "enter picture in picture mode": texts.mc_enter_pip,
    "exit picture in picture mode": texts.mc_exit_pip,
    "start airplay": texts.mc_start_airplay,
    "stop airplay": texts.mc_stop_airplay,
    "playback time": texts.mc_playback_time,
    "{currentTime} of {totalTime}": texts.mc_time_of,
    "{time} remaining": texts.mc_remaining,
    "video not loaded, unknown time.": texts.mc_unknown_time,
    "chapter: {chapterName}": texts.mc_chapter,
    hour: texts.mc_hour,
    hours: texts.mc_hours,
    minute: texts.mc_minute,
    minutes: texts.mc_minutes,
    second: texts.mc_second,
    seconds: texts.mc_seconds,
  };
}

export function attachControls(
  player: LecternVideo,
  controller: HTMLElement,
  root: ShadowRoot,
): Controls {
  return new PlayerControls(player, controller, root);
}
