// Elements of the recorder page, and what is shown of them.
import { fill } from "../texts/fill.ts";
import type { RecordTexts } from "../texts/record/index.ts";

export type RecordTextKey = keyof RecordTexts;
type Values = Record<string, string | number>;

/** Notices whose cause may go by itself. A kind is shown once. */
export interface NoticeAction {
  text: RecordTextKey;
  run: () => void;
}

/** Finds an element of the page by its id. */
export function element<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

export class View {
  readonly #texts: RecordTexts;
  readonly #notices = new Map<string, HTMLElement>();

  constructor(texts: RecordTexts) {
    this.#texts = texts;
    for (const node of document.querySelectorAll<HTMLElement>("[data-text]")) {
      node.textContent = texts[node.dataset.text as RecordTextKey];
    }
    for (const node of document.querySelectorAll<HTMLElement>("[data-label]")) {
      node.setAttribute("aria-label", texts[node.dataset.label as RecordTextKey]);
    }
    document.title = texts.title;
  }

  text(key: RecordTextKey, values: Values = {}): string {
    return fill(this.#texts[key], values);
  }

  write(id: string, key: RecordTextKey, values: Values = {}): void {
    const node = element(id);
    const text = this.text(key, values);
    // Screen readers say what changes.
    if (node.textContent !== text) node.textContent = text;
  }

  show(...ids: string[]): void {
    for (const id of ids) element(id).hidden = false;
  }

  hide(...ids: string[]): void {
    for (const id of ids) element(id).hidden = true;
  }

  /** Ends the page with a problem that only another link or browser solves. */
  refuse(key: RecordTextKey): void {
    this.hide("studio", "found", "relink");
    document.querySelector("#problem p")!.textContent = this.text(key);
    this.show("problem");
  }

  /** Shows a notice of a kind, in place of an earlier one. Without a text, the kind goes. */
  notice(
    kind: string,
    key?: RecordTextKey,
    values: Values = {},
    actions: readonly NoticeAction[] = [],
  ): void {
    const text = key && this.text(key, values);
    const before = this.#notices.get(kind);
    if (before?.dataset.text === text) return;
    before?.remove();
    this.#notices.delete(kind);
    if (!text) return;
    const notice = document.createElement("div");
    notice.className = "notice";
    notice.dataset.text = text;
    notice.dataset.kind = kind;
    const words = document.createElement("p");
    words.textContent = text;
    const closing: NoticeAction = { text: "close", run: () => this.notice(kind) };
    const buttons = (actions.length > 0 ? actions : [closing]).map((action) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = this.text(action.text);
      button.onclick = action.run;
      return button;
    });
    notice.append(words, ...buttons);
    element("notices").append(notice);
    this.#notices.set(kind, notice);
  }

  /** Asks before something is lost. */
  ask(question: RecordTextKey, yes: RecordTextKey): Promise<boolean> {
    const dialog = element<HTMLDialogElement>("question");
    this.write("question-text", question);
    this.write("yes", yes);
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.onclose = () => resolve(dialog.returnValue === "yes");
    });
  }
}

/** Saves a file on the computer. */
export function download(file: Blob, name: string): void {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(file);
  anchor.download = name;
  anchor.click();
  // The browser reads the file after this.
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}
