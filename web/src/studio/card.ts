// The card of an upload. Texts of files and of the edge are text nodes, never markup.
import { make } from "../element/dom.ts";
import { EDGE } from "../origins.ts";
import { fill, formatNumber } from "../texts/index.ts";
import type { StudioTexts } from "../texts/studio/index.ts";
import { formatTime } from "../time.ts";
import { decodePath } from "./fragment.ts";
import { codecName, embedCode, formatBytes, formatLeft } from "./format.ts";
import type { UploadJob } from "./job.ts";
import { type JobAction, type JobView, viewOf } from "./view.ts";
import type { FileWarning } from "./warnings.ts";

/** The language of the page. */
export interface CardLanguage {
  tag: string;
  texts: StudioTexts;
}

const MAIN_ACTIONS: readonly JobAction[] = [
  "upload",
  "upload_anyway",
  "resume",
  "open_file",
  "choose_again",
  "new_name",
  "retry",
  "keep",
];

export class Card {
  readonly element = make("li", { class: "card" });
  readonly #job: UploadJob;
  readonly #language: CardLanguage;
  readonly #act: (action: JobAction) => void;
  readonly #frame = make("div", { class: "frame", "aria-hidden": "true" });
  readonly #title = make("h2");
  readonly #facts = make("p", { class: "facts" });
  readonly #warnings = make("ul", { class: "warnings", hidden: "" });
  readonly #bar = make("progress", { max: "1" });
  readonly #state = make("p", { class: "state" });
  readonly #buttons = make("div", { class: "buttons" });
  readonly #result = make("div", { class: "result", hidden: "" });
  #shownActions = "";
  #shownWarnings = "";
  #shownResult = "";

  constructor(job: UploadJob, language: CardLanguage, act: (action: JobAction) => void) {
    this.#job = job;
    this.#language = language;
    this.#act = act;
    const head = make("div", { class: "head" }, this.#title, this.#facts);
    const body = make("div", { class: "body" }, this.#bar, this.#state, this.#buttons);
    this.element.append(this.#frame, head, this.#warnings, body, this.#result);
  }

  /** Draws the upload as it is. Returns its sentence. */
  draw(watch: URL | undefined): string {
    const { name, state, frame, isAsking } = this.#job;
    const view = viewOf(state, this.#job.facts, isAsking);
    this.element.dataset["tone"] = view.tone;
    this.element.dataset["state"] = state.name;
    this.#title.textContent = name;
    this.#facts.textContent = this.#factsText();
    if (frame instanceof HTMLCanvasElement && this.#frame.firstChild !== frame)
      this.#frame.replaceChildren(frame);
    this.#drawWarnings(state.name === "confirm" || state.name === "blocked");
    this.#drawBar(view, name);
    const text = this.#sentence(view);
    if (this.#state.textContent !== text) this.#state.textContent = text;
    this.#drawButtons(view.actions);
    this.#drawResult(watch);
    return text;
  }

  #factsText(): string {
    const { media, size, seconds } = this.#job;
    const { tag } = this.#language;
    const video = media?.tracks.find(({ type }) => type === "video");
    const codecs = media?.tracks.flatMap(({ codec }) => (codec ? [codecName(codec)] : [])) ?? [];
    const facts = [
      seconds === undefined ? "" : formatTime(Math.round(seconds)),
      formatBytes(size, tag),
      video?.width && video.height ? `${video.width} × ${video.height}` : "",
      media?.format ?? "",
      [...new Set(codecs)].join(", "),
    ];
    return facts.filter(Boolean).join(" · ");
  }

  #drawWarnings(isShown: boolean): void {
    const { warnings } = this.#job;
    const shown = isShown ? JSON.stringify(warnings) : "";
    if (shown === this.#shownWarnings) return;
    this.#shownWarnings = shown;
    this.#warnings.hidden = !isShown || warnings.length === 0;
    this.#warnings.replaceChildren(
      ...warnings.map((warning) => make("li", {}, this.#warningText(warning))),
    );
  }

  #warningText({ code, values }: FileWarning): string {
    const { tag, texts } = this.#language;
    const { bytes, seconds, readable, codec, type } = values;
    const hasTimes = seconds !== undefined && readable !== undefined;
    const key = code === "cut" && hasTimes ? "warn_cut_at" : (`warn_${code}` as const);
    return fill(texts[key], {
      ...(bytes !== undefined && { bytes: formatBytes(bytes, tag) }),
      ...(hasTimes && { time: formatTime(seconds), readable: formatTime(readable) }),
      ...(codec !== undefined && { codec: codecName(codec) }),
      ...(type !== undefined && { type }),
      ...(code === "expires_soon" && { left: formatLeft(seconds ?? 0, tag) }),
    });
  }

  #drawBar(view: JobView, name: string): void {
    this.#bar.hidden = !("bar" in view);
    this.#bar.setAttribute("aria-label", fill(this.#language.texts.progress, { name }));
    if (view.bar === undefined) this.#bar.removeAttribute("value");
    else this.#bar.value = view.bar;
  }

  #sentence({ text, values }: JobView): string {
    const { tag, texts } = this.#language;
    const { name, size, sent, bytesPerSecond, secondsLeft } = this.#job.facts;
    const { percent, ...others } = values;
    const sentence = fill(texts[text], {
      name,
      size: formatBytes(size, tag),
      sent: formatBytes(sent, tag),
      ...(bytesPerSecond !== undefined && { rate: formatBytes(bytesPerSecond, tag) }),
      ...(secondsLeft !== undefined && { left: formatLeft(secondsLeft, tag) }),
      percent: percent === undefined ? "" : formatNumber(percent / 100, tag, "percent"),
      ...others,
    });
    return sentence.replace(/[\s:]+$/, "");
  }

  /** Draws buttons anew only if they change, so that the focus stays. */
  #drawButtons(actions: JobAction[]): void {
    const shown = actions.join();
    if (shown === this.#shownActions) return;
    this.#shownActions = shown;
    const hadFocus = this.#buttons.contains(document.activeElement);
    const buttons = actions.map((action) => {
      const isMain = MAIN_ACTIONS.includes(action) && action === actions[0];
      const text = this.#language.texts[`act_${action}`];
      const label = `${text}: ${this.#job.facts.file}`;
      const attributes = { type: "button", class: isMain ? "main" : "", "aria-label": label };
      const button = make("button", attributes, text);
      button.addEventListener("click", () => this.#act(action));
      return button;
    });
    this.#buttons.replaceChildren(...buttons);
    if (hadFocus) buttons[0]?.focus();
  }

  #drawResult(watch: URL | undefined): void {
    const { state, name } = this.#job;
    const packaging = state.name === "stored" ? state.packaging : undefined;
    const plays = packaging?.state === "playing" || packaging?.state === "done";
    const shown = plays ? `${watch?.href} ${packaging.lecture}` : "";
    if (shown === this.#shownResult) return;
    this.#shownResult = shown;
    this.#result.hidden = !plays;
    this.#result.replaceChildren();
    if (!plays) return;
    const { texts } = this.#language;
    if (!watch) {
      const { lecture } = packaging;
      const text =
        lecture ? fill(texts.lecture_at, { lecture: decodePath(lecture) }) : texts.course_shows;
      this.#result.append(make("p", {}, text));
      return;
    }
    const address = `${EDGE}/_lectern/play#${watch.pathname}${watch.search}`;
    const title = name.replace(/\.[^.]+$/, "");
    const attributes = { href: address, target: "_blank", rel: "noopener" };
    const open = make("a", attributes, texts.open_lecture);
    this.#result.append(
      open,
      this.#copyable(texts.link, address),
      this.#copyable(texts.embed, embedCode(address, title)),
    );
  }

  /** A text with a button that copies it. */
  #copyable(label: string, text: string): HTMLElement {
    const { texts } = this.#language;
    const input = make("input", { readonly: "", "aria-label": label });
    input.value = text;
    input.addEventListener("focus", () => input.select());
    const copy = make("button", { type: "button" });
    const say = (done: string): void => {
      copy.textContent = done;
      copy.setAttribute("aria-label", `${done}: ${label}`);
    };
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(text).then(
        () => say(texts.copied),
        // Without permission, the person copies the selection.
        () => input.focus(),
      );
    });
    say(texts.copy);
    const row = make("div", { class: "row" }, input, copy);
    return make("div", { class: "copyable" }, make("span", { "aria-hidden": "true" }, label), row);
  }
}
