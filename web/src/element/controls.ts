// The controls of <lectern-video>: media-chrome's bar and buttons, and panels of our own. Loaded
// after the first frame.
import { readText } from "../bounded.ts";
import type { Engine } from "../engine.ts";
import { claimsOf } from "../link.ts";
import { keepSettings } from "../memory.ts";
import { downloadOf } from "../names.ts";
import { isAllowed } from "../origins.ts";
import { overflowing } from "../overflow.ts";
import { parseSilences } from "../silences.ts";
import type { TextKey, Texts } from "../texts/index.ts";
import style from "./controls.css";
import { icon, iconButton, make } from "./dom.ts";
import { downloadLecture } from "./download.ts";
import {
  chapterAt,
  type Chapter,
  parseChapters,
  parseStoryboard,
  type Thumbnail,
} from "./extras.ts";
import type { LecternVideo } from "./lectern-video.ts";
import { translateIn } from "./media.ts";
import { type PanelContent, type PanelHost, TimedList } from "./panel.ts";
import { settingsPanel } from "./settings-panel.ts";

export type PanelName =
  | "settings"
  | "chapters"
  | "transcript"
  | "notes"
  | "keep"
  | "keyboard"
  | "more";

export interface Controls {
  /** Shows what changed: qualities, audio tracks or captions. */
  update(): void;
  /** Loads the files beside the lecture. */
  extras(): void;
  /** Shows the texts of another language. */
  translate(language: string): void;
  toggle(panel: PanelName): void;
  close(): void;
  /** Shows the controls for a moment. */
  wake(): void;
}

/** The largest files to load, in bytes. */
const MAX_BYTES = { chapters: 1 << 20, storyboard: 4 << 20, silences: 1 << 20 };

const KEYS: readonly [string[], TextKey][] = [
  [["space", "K"], "key_play"],
  [["J", "L"], "key_seek_10"],
  [["←", "→"], "key_seek_5"],
  [["↑", "↓"], "key_volume"],
  [["<", ">"], "key_speed"],
  [["M"], "key_mute"],
  [["C"], "key_captions"],
  [["T"], "transcript"],
  [["N"], "notes"],
  [["F"], "key_fullscreen"],
  [["P"], "pip"],
  [["0", "9"], "key_digits"],
  [["Home", "End"], "key_ends"],
  [["?"], "key_help"],
];

/** Panels whose code loads when they open. */
type LoadedName = "transcript" | "notes" | "keep";
type ButtonName = PanelName | "captions" | "download";

/** Parts of the bar that leave it when it is narrow, the first of the list first. */
const LEAVING_PARTS = [
  "volume",
  "keyboard",
  "download",
  "keep",
  "airplay",
  "pip",
  "notes",
  "chapters",
  "transcript",
  "captions",
] as const;
type LeavingName = (typeof LEAVING_PARTS)[number];

/** Attributes with which media-chrome says that a browser lacks a function. */
const LACKED_FUNCTIONS = [
  "mediaairplayunavailable",
  "mediapipunavailable",
  "mediavolumeunavailable",
];

class PlayerControls implements Controls {
  readonly #player: LecternVideo;
  readonly #controller: HTMLElement & { fullscreenElement?: HTMLElement };
  readonly #root: ShadowRoot;
  #bar: HTMLElement | undefined;
  #panel:
    | {
        name: PanelName;
        element: HTMLElement;
        content: PanelContent;
        opener: HTMLElement | undefined;
      }
    | undefined;
  #buttons: Partial<Record<ButtonName, HTMLButtonElement>> = {};
  /** Parts of the bar that may leave it. */
  #leaving: Partial<Record<LeavingName, HTMLElement>> = {};
  #chapters: Chapter[] = [];
  #loaded: Partial<Record<keyof typeof MAX_BYTES, string>> = {};
  #thumbnails: TextTrack | undefined;
  #marks: TextTrack | undefined;
  readonly #resized = new ResizeObserver(() => this.#fit());
  readonly #lacking = new MutationObserver(() => this.#fit());

  constructor(player: LecternVideo, controller: HTMLElement, root: ShadowRoot) {
    this.#player = player;
    this.#controller = controller;
    this.#root = root;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    this.#controller.fullscreenElement = player;
    controller.addEventListener("userinactivechange", () => this.#showIdle());
    for (const type of ["play", "pause"])
      player.video.addEventListener(type, () => this.#showIdle());
    for (const type of ["timeupdate", "seeking"])
      player.video.addEventListener(type, () => this.#follow());
    player.video.addEventListener("volumechange", () => {
      if (!player.video.muted) keepSettings({ volume: player.video.volume });
    });
  }

  translate(language: string): void {
    translateIn(this.#root, language, this.#player.texts);
    this.close();
    this.#bar?.remove();
    this.#bar = this.#makeBar();
    this.#controller.append(this.#bar);
    this.#resized.disconnect();
    this.#resized.observe(this.#bar);
    this.#lacking.disconnect();
    this.#lacking.observe(this.#bar, { attributeFilter: LACKED_FUNCTIONS, subtree: true });
    this.update();
  }

  update(): void {
    const { captions, extras, engine } = this.#player;
    const hasCaptions = captions.tracks().length > 0;
    const shown: [ButtonName, boolean][] = [
      ["captions", hasCaptions],
      ["transcript", hasCaptions || (extras.captions?.length ?? 0) > 0],
      ["chapters", this.#chapters.length > 0],
      ["download", engine !== undefined && downloadOf(engine.link) !== undefined],
      ["notes", engine !== undefined],
      ["keep", engine !== undefined && isKeepable(engine)],
    ];
    for (const [name, isShown] of shown)
      this.#buttons[name]?.toggleAttribute("hidden", !isShown);
    this.#leaving.pip?.toggleAttribute("hidden", this.#player.video.disablePictureInPicture);
    this.#buttons.captions?.setAttribute("aria-pressed", String(captions.chosen !== undefined));
    this.#panel?.content.update?.();
    this.#fit();
  }

  extras(): void {
    const language = this.#player.language;
    void this.#load("chapters", (text) => this.#showChapters(parseChapters(text, language)));
    void this.#load("silences", (text) => (this.#player.silences = parseSilences(text)));
    void this.#load("storyboard", (text, url) =>
      this.#showThumbnails(parseStoryboard(text, url, isAllowed)),
    );
    if (!this.#loaded.chapters) this.#showChapters([]);
    if (!this.#loaded.storyboard) this.#showThumbnails([]);
    if (!this.#loaded.silences) this.#player.silences = [];
    this.update();
  }

  /** Loads a file beside the lecture, if it is new. Without it, the lecture plays all the same. */
  async #load(
    name: keyof typeof MAX_BYTES,
    show: (text: string, url: string) => void,
    isForced = false,
  ): Promise<void> {
    const { engine, extras } = this.#player;
    const file = extras[name];
    const isKnown = file === this.#loaded[name];
    this.#loaded[name] = file;
    if (!file || !engine || (isKnown && !isForced)) return;
    try {
      const answer = await engine.file(file);
      const text = await readText(answer, MAX_BYTES[name]);
      if (this.#loaded[name] === file) show(text, answer.url || file);
    } catch {
      // The bar has fewer marks and thumbnails until the file loads.
      if (this.#loaded[name] === file) delete this.#loaded[name];
    }
  }

  /** Pictures have passes, which end while a page is open. */
  #renewThumbnails(): void {
    const cue = this.#thumbnails?.cues?.[0];
    if (!(cue instanceof VTTCue) || !this.#player.engine?.isOver(cue.text)) return;
    const show = (text: string, url: string): void =>
      this.#showThumbnails(parseStoryboard(text, url, isAllowed));
    void this.#load("storyboard", show, true);
  }

  toggle(name: PanelName): void {
    const isOpen = this.#panel?.name === name;
    this.close();
    if (!isOpen && !this.#buttons[name]?.hidden) void this.#open(name);
  }

  close(): void {
    if (!this.#panel) return;
    const { element, content, opener, name } = this.#panel;
    this.#panel = undefined;
    const hadFocus = element.contains(this.#root.activeElement);
    element.remove();
    content.closed?.();
    this.#buttons[name]?.setAttribute("aria-expanded", "false");
    this.#bar?.removeAttribute("noautohide");
    if (hadFocus) {
      if (opener?.isConnected) opener.focus();
      else this.#player.focus({ preventScroll: true });
    }
    this.#showIdle();
  }

  wake(): void {
    this.#controller.dispatchEvent(new KeyboardEvent("keyup", { key: "Shift" }));
  }

  /** Captions make room for the bar while it shows. */
  #showIdle(): void {
    const isIdle =
      this.#controller.hasAttribute("userinactive") && !this.#player.video.paused && !this.#panel;
    this.#player.toggleAttribute("idle", isIdle);
  }

  #makeBar(): HTMLElement {
    const { texts } = this.#player;
    this.#buttons = {};
    const button = (name: ButtonName, act: () => void): HTMLButtonElement => {
      const made = iconButton(name, texts[name], act, name);
      this.#buttons[name] = made;
      return made;
    };
    const opening = (name: PanelName): HTMLButtonElement => {
      const made = button(name, () => this.toggle(name));
      made.setAttribute("aria-expanded", "false");
      return made;
    };
    const volume = make("lectern-volume-range" as "div");
    const pip = make("lectern-pip" as "div", { notooltip: "" });
    const airplay = make("lectern-airplay" as "div", { notooltip: "" });
    const captions = button("captions", () => this.#player.perform({ type: "captions" }));
    captions.setAttribute("aria-pressed", "false");
    const row = make(
      "div",
      { class: "row" },
      make("lectern-play" as "div", { notooltip: "" }),
      make("lectern-mute" as "div", { notooltip: "" }),
      volume,
      make("lectern-time" as "div", { showduration: "", notoggle: "" }),
      make("span", { class: "chapter", "aria-hidden": "true" }),
      make("span", { class: "space" }),
      opening("chapters"),
      opening("transcript"),
      opening("notes"),
      captions,
      button("download", () => void this.#download()),
      opening("keep"),
      opening("settings"),
      opening("keyboard"),
      airplay,
      pip,
      opening("more"),
      make("lectern-fullscreen" as "div", { notooltip: "" }),
    );
    const { chapters, transcript, notes, download, keep, keyboard } = this.#buttons;
    this.#leaving = { chapters, transcript, notes, captions, download, keep, keyboard };
    Object.assign(this.#leaving, { volume, airplay, pip });
    const range = make("lectern-time-range" as "div");
    for (const [type, isOver] of [
      ["pointerenter", true],
      ["pointerleave", false],
    ] as const) {
      range.addEventListener(type, () => this.#player.toggleAttribute("scrubbing", isOver));
    }
    range.addEventListener("pointerenter", () => {
      // Loads what a lost connection has kept out.
      this.extras();
      this.#renewThumbnails();
    });
    return make("div", { class: "bar" }, range, row);
  }

  /** Moves what does not fit into the bar to the panel "More". */
  #fit(): void {
    const row = this.#bar?.querySelector<HTMLElement>(".row");
    const { more } = this.#buttons;
    if (!row || !more) return;
    for (const part of Object.values(this.#leaving)) part.classList.remove("away");
    more.classList.remove("away");
    const gap = Number.parseFloat(getComputedStyle(row).columnGap) || 0;
    const widthOf = (part: Element): number => {
      const { width } = part.getBoundingClientRect();
      return width > 0 ? width + gap : 0;
    };
    const moreWidth = widthOf(more);
    const stretching = [...row.querySelectorAll(".chapter, .space")];
    const parts = Object.values(this.#leaving);
    const fixed = [...row.children]
      .filter((part) => part !== more && !stretching.includes(part))
      .filter((part) => !parts.includes(part as HTMLElement))
      .reduce((sum, part) => sum + widthOf(part), 0);
    const items = LEAVING_PARTS.flatMap((name) => {
      const part = this.#leaving[name];
      return part ? [{ name, width: widthOf(part) }] : [];
    }).filter(({ width }) => width > 0);
    const away = overflowing(items, row.clientWidth - fixed, moreWidth);
    for (const name of LEAVING_PARTS) this.#leaving[name]?.classList.toggle("away", away.has(name));
    more.classList.toggle("away", away.size === 0);
    if (this.#panel?.name === "more") {
      if (away.size === 0) this.close();
      else this.#panel.content.update?.();
    }
  }

  async #download(): Promise<void> {
    const { engine } = this.#player;
    const file = engine && downloadOf(engine.link);
    if (file) await downloadLecture(this.#player, file);
  }

  async #open(name: PanelName): Promise<void> {
    const { texts } = this.#player;
    const close = iconButton("close", texts.close, () => this.close());
    const title = make("h2", { id: "panel-title" }, texts[name]);
    const body = make("div", { class: "body" });
    const element = make(
      "div",
      { class: `panel ${name}`, role: "dialog", "aria-labelledby": "panel-title" },
      make("div", { class: "head" }, title, close),
      body,
    );
    const focused = this.#root.activeElement;
    const opener = focused instanceof HTMLElement ? focused : this.#buttons[name];
    const panel = { name, element, opener, content: { nodes: [] } as PanelContent };
    this.#panel = panel;
    const host = { player: this.#player, texts, close: () => this.close() };
    const content =
      name === "transcript" || name === "notes" || name === "keep"
        ? await loadPanel(name, host)
        : this.#contentOf(name, host);
    if (this.#panel !== panel) return content?.closed?.();
    if (!content) return this.close();
    panel.content = content;
    body.append(...content.nodes);
    this.#root.append(element);
    this.#buttons[name]?.setAttribute("aria-expanded", "true");
    this.#bar?.setAttribute("noautohide", "");
    this.#follow();
    const first = element.querySelector<HTMLElement>(
      "input:checked, .body button[aria-current], .body button, .body input",
    );
    (content.first ?? first ?? close).focus();
    this.#showIdle();
  }

  #contentOf(name: Exclude<PanelName, LoadedName>, host: PanelHost): PanelContent {
    switch (name) {
      case "settings":
        return settingsPanel(host);
      case "chapters":
        return chaptersPanel(host, this.#chapters);
      case "keyboard":
        return keyboardPanel(host);
      case "more":
        return this.#morePanel(host);
    }
  }

  /** The functions that left the bar. */
  #morePanel({ texts, player, close }: PanelHost): PanelContent {
    const list = make("ul", { class: "more-list" });
    const row = (name: LeavingName): HTMLElement[] => {
      const part = this.#leaving[name];
      if (!part?.classList.contains("away")) return [];
      if (name === "volume") return [volumeRow(player, texts)];
      const button = make("button", { type: "button" }, icon(name), texts[name]);
      if (name === "captions")
        button.setAttribute("aria-pressed", String(player.captions.chosen !== undefined));
      button.addEventListener("click", () => {
        close();
        part.click();
      });
      return [make("li", {}, button)];
    };
    const update = (): void => list.replaceChildren(...LEAVING_PARTS.toReversed().flatMap(row));
    update();
    return { nodes: [list], update: () => !list.contains(this.#root.activeElement) && update() };
  }

  /** Marks what plays now, in the bar and in an open list. */
  #follow(): void {
    const { currentTime } = this.#player.video;
    const label = this.#bar?.querySelector(".chapter");
    const title = chapterAt(this.#chapters, currentTime)?.title ?? "";
    if (label && label.textContent !== title) label.textContent = title;
    this.#panel?.content.follow?.(currentTime);
  }

  #showChapters(chapters: Chapter[]): void {
    if (chapters.length === 0 && this.#chapters.length === 0) return;
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

  #showThumbnails(thumbnails: Thumbnail[]): void {
    if (thumbnails.length === 0 && !this.#thumbnails) return;
    this.#thumbnails ??= this.#player.video.addTextTrack("metadata", "thumbnails");
    this.#thumbnails.mode = "hidden";
    for (const cue of [...(this.#thumbnails.cues ?? [])]) this.#thumbnails.removeCue(cue);
    for (const { start, end, url } of thumbnails)
      this.#thumbnails.addCue(new VTTCue(start, end, url));
  }
}

/** Returns whether this page, in this browser, may keep the lecture on the device. */
function isKeepable(engine: Engine): boolean {
  // A page around would not open without a connection. Without TLS, there is no service worker.
  const isPlayerPage = location.pathname === "/_lectern/play" && window === parent;
  const canKeep = "serviceWorker" in navigator && engine.choices.qualities().length > 0;
  return isPlayerPage && canKeep && claimsOf(engine.link).offline !== undefined;
}

/** Loads a panel that not every viewer opens. Without a connection, there is none. */
async function loadPanel(name: LoadedName, host: PanelHost): Promise<PanelContent | undefined> {
  try {
    if (name === "notes") return (await import("./notes-panel.ts")).notesPanel(host);
    if (name === "keep") return await (await import("./keep-panel.ts")).keepPanel(host);
    return (await import("./transcript-panel.ts")).transcriptPanel(host);
  } catch {
    host.player.notice(host.texts.no_connection);
    return undefined;
  }
}

function chaptersPanel({ player }: PanelHost, chapters: Chapter[]): PanelContent {
  const list = new TimedList("chapters", (seconds) => player.seek(seconds));
  list.show(chapters.map(({ start, title }) => ({ start, content: make("span", {}, title) })));
  return { nodes: [list.element], follow: (seconds) => list.follow(seconds) };
}

function keyboardPanel({ player, texts }: PanelHost): PanelContent {
  const hasWindow = !player.video.disablePictureInPicture;
  const shown = KEYS.filter(([, text]) => text !== "pip" || hasWindow);
  const rows = shown.map(([keys, text]) => {
    const caps = keys.flatMap((key) => [make("kbd", {}, key === "space" ? texts.space : key), " "]);
    return make("div", {}, make("dt", {}, ...caps), make("dd", {}, texts[text]));
  });
  const list = make("dl", { tabindex: "0" }, ...rows);
  return { nodes: [list], first: list };
}

function volumeRow(player: LecternVideo, texts: Texts): HTMLElement {
  const { video } = player;
  const input = make("input", { type: "range", min: "0", max: "100", step: "5" });
  input.value = String(video.muted ? 0 : Math.round(video.volume * 100));
  input.addEventListener("input", () => {
    video.muted = false;
    video.volume = Number(input.value) / 100;
  });
  return make("li", {}, make("label", { class: "volume" }, texts.volume, input));
}

export function attachControls(
  player: LecternVideo,
  controller: HTMLElement,
  root: ShadowRoot,
): Controls {
  return new PlayerControls(player, controller, root);
}
