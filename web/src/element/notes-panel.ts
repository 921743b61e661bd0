// The panel with the viewer's notes at seconds of the lecture. They stay in this browser.
import { lectureOf } from "../link.ts";
import { keepNotes, keptNotes } from "../memory.ts";
import { lectureName } from "../names.ts";
import {
  addNote,
  editNote,
  isSame,
  MAX_NOTE_LENGTH,
  mergeNotes,
  type Note,
  notesAsMarkdown,
  parseNotes,
  removeNote,
  storedNotes,
} from "../notes.ts";
import { fill } from "../texts/index.ts";
import { formatTime } from "../time.ts";
import { iconButton, make } from "./dom.ts";
import { save } from "./download.ts";
import type { PanelContent, PanelHost } from "./panel.ts";

/** Texts of a lecture that the browser does not keep. They outlast the panel, not the page. */
interface Draft {
  text: string;
  /** The second at which the viewer began to write. */
  at?: number;
  edited?: { note: Note; text: string };
  /** Notes for which the browser has no room. */
  unkept: readonly Note[];
}

const drafts = new Map<string, Draft>();

export function notesPanel({ player, texts }: PanelHost): PanelContent {
  const { engine, video } = player;
  const lecture = engine ? lectureOf(engine.link) : "";
  const draft = drafts.get(lecture) ?? { text: "", unkept: [] };
  drafts.set(lecture, draft);
  let notes: readonly Note[] = [];

  const label = make("label", { for: "note-text" });
  const field = make("textarea", {
    id: "note-text",
    rows: "2",
    maxlength: String(MAX_NOTE_LENGTH),
  });
  field.value = draft.text;
  const add = make("button", { type: "submit", class: "pill" }, texts.add_note);
  const form = make("form", { class: "note-form" }, label, field, add);
  const list = make("ol", { class: "notes" });
  const none = make("p", { class: "none" });
  const exported = make("button", { type: "button", class: "pill quiet" }, texts.export_notes);
  const hint = make("p", { class: "hint" });

  /** Changes the notes as they are now, because another tab may have changed them. */
  const change = (changed: (notes: readonly Note[]) => readonly Note[]): boolean => {
    const before = mergeNotes(parseNotes(keptNotes(lecture)), draft.unkept);
    const after = changed(before);
    if (after !== before) {
      const isKept = keepNotes(lecture, storedNotes(after));
      draft.unkept = isKept ? [] : after;
      if (!isKept) player.notice(texts.notes_not_kept);
    }
    notes = after;
    show();
    return after !== before;
  };
  const showTime = (): void => {
    const text = fill(texts.note_at, { time: formatTime(draft.at ?? video.currentTime) });
    if (label.textContent !== text) label.textContent = text;
  };
  const write = (text: string): void => {
    draft.at = text ? (draft.at ?? video.currentTime) : undefined;
    draft.text = text;
    showTime();
  };
  const addWritten = (): void => {
    const { value } = field;
    if (change((before) => addNote(before, draft.at ?? video.currentTime, value))) {
      field.value = "";
      write("");
      if (draft.unkept.length === 0) player.notice(texts.note_added);
    } else if (value.trim()) player.notice(texts.notes_full);
    field.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    addWritten();
  });
  field.addEventListener("input", () => write(field.value));
  field.addEventListener("keydown", (event) => submitOnEnter(event, addWritten));

  const remove = (note: Note): void => {
    change((before) => removeNote(before, note));
    const undo = make("button", { type: "button" }, texts.undo);
    undo.addEventListener("click", () => {
      player.notice("");
      change((before) => addNote(before, note.at, note.text));
      focusNote(note);
    });
    player.notice(texts.note_deleted, undo);
    field.focus();
  };
  const focusNote = (note: Note): void => {
    const index = notes.findIndex((other) => isSame(other, note));
    list.children[index]?.querySelector<HTMLElement>(".edit")?.focus();
  };
  /** Keeps the edited text, and edits another note if there is one. */
  const edit = (note?: Note): void => {
    const { edited } = draft;
    draft.edited = note && { note, text: note.text };
    change((before) => (edited ? editNote(before, edited.note, edited.text) : before));
    if (note) list.querySelector("textarea")?.focus();
    else if (edited) focusNote({ ...edited.note, text: edited.text.trim() });
  };

  const item = (note: Note): HTMLElement => {
    const time = formatTime(note.at);
    const seek = make("button", { type: "button", class: "time" }, time);
    seek.setAttribute("aria-label", fill(texts.go_to, { time }));
    seek.addEventListener("click", () => player.seek(note.at));
    const named = (text: string): string => `${text}: ${time}`;
    const { edited } = draft;
    if (!edited || !isSame(note, edited.note)) {
      const pencil = iconButton("edit", named(texts.edit), () => edit(note), "edit");
      const drop = iconButton("remove", named(texts.delete), () => remove(note), "remove");
      const text = make("p", { dir: "auto" }, note.text);
      return make("li", {}, seek, text, pencil, drop);
    }
    const text = make("textarea", { rows: "3", maxlength: String(MAX_NOTE_LENGTH) });
    text.setAttribute("aria-label", named(texts.edit));
    text.value = edited.text;
    text.addEventListener("input", () => (edited.text = text.value));
    text.addEventListener("keydown", (event) => submitOnEnter(event, edit));
    const ready = make("button", { type: "button", class: "pill" }, texts.save);
    ready.addEventListener("click", () => edit());
    return make("li", {}, seek, text, ready);
  };
  const show = (): void => {
    list.replaceChildren(...notes.map(item));
    none.textContent = notes.length === 0 ? texts.no_notes : "";
    exported.hidden = notes.length === 0;
    hint.textContent = draft.unkept.length > 0 ? texts.notes_not_kept : texts.notes_kept;
  };
  exported.addEventListener("click", () => {
    const name = (engine && lectureName(engine.link)) ?? texts.lecture;
    save(`${name}.md`, notesAsMarkdown(name, notes));
  });
  change((before) => before);
  showTime();
  return {
    nodes: [form, none, list, exported, hint],
    first: field,
    follow: showTime,
  };
}

/** Ends a note with Enter. With Shift, Enter begins a line. */
function submitOnEnter(event: KeyboardEvent, submit: () => void): void {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
}
