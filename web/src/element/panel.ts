// A panel's content, and lists in panels that follow what plays.
import type { Texts } from "../texts/index.ts";
import { formatTime } from "../time.ts";
import { make } from "./dom.ts";
import type { LecternVideo } from "./lectern-video.ts";

export interface PanelContent {
  nodes: Node[];
  /** The control that gets the focus. Without one, it is the first of the panel. */
  first?: HTMLElement;
  /** The lecture plays at a second. */
  follow?(seconds: number): void;
  /** The lists of qualities, tracks or chapters changed. */
  update?(): void;
  closed?(): void;
}

/** The player around a panel. */
export interface PanelHost {
  player: LecternVideo;
  texts: Texts;
  close(): void;
}

/** The time for which a list stays where a viewer has moved it, in milliseconds. */
const LIST_STAYS_MS = 5_000;

export interface ListEntry {
  start: number;
  content: Node;
}

/** A list of seconds of the lecture. It marks the entry that plays, and keeps it in sight. */
export class TimedList {
  readonly element: HTMLOListElement;
  readonly #seek: (seconds: number) => void;
  #entries: { start: number; button: HTMLButtonElement }[] = [];
  #current: HTMLButtonElement | undefined;
  #movedAt = -Infinity;

  constructor(kind: string, seek: (seconds: number) => void) {
    this.element = make("ol", { class: kind });
    this.#seek = seek;
    for (const type of ["wheel", "touchmove", "keydown"])
      this.element.addEventListener(type, () => (this.#movedAt = performance.now()), {
        passive: true,
      });
  }

  show(entries: readonly ListEntry[]): void {
    this.#current = undefined;
    this.#entries = entries.map(({ start, content }) => {
      const button = make(
        "button",
        { type: "button", "data-start": String(start) },
        make("span", { class: "time" }, formatTime(start)),
        content,
      );
      button.addEventListener("click", () => {
        this.#movedAt = -Infinity;
        this.#seek(start);
      });
      return { start, button };
    });
    this.element.replaceChildren(...this.#entries.map(({ button }) => make("li", {}, button)));
  }

  follow(seconds: number): void {
    const current = this.#entries.findLast(({ start }) => start <= seconds + 0.05)?.button;
    if (current === this.#current) return;
    this.#current?.removeAttribute("aria-current");
    this.#current = current;
    current?.setAttribute("aria-current", "true");
    if (current && performance.now() - this.#movedAt > LIST_STAYS_MS) this.#reveal(current);
  }

  /** Scrolls the list, and not the page around it. */
  #reveal(button: HTMLElement): void {
    const list = this.element;
    const scroller = getComputedStyle(list).overflowY === "auto" ? list : list.closest(".body");
    if (!scroller) return;
    const offset = button.getBoundingClientRect().top - scroller.getBoundingClientRect().top;
    scroller.scrollTop += offset - scroller.clientHeight / 3;
  }
}
