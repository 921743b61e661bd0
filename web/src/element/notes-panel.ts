// The panel with the viewer's notes at seconds of the lecture. They stay in this browser.
import { lectureOf } from "../engine.ts";
import { keepNotes, keptNotes } from "../memory.ts";
import { lectureName } from "../names.ts";
import {
  addNote,
  editNote,
  MAX_NOTE_LENGTH,
  type Note,
  notesAsMarkdown,
  parseNotes,
  storedNotes,
} from "../notes.ts";
import { fill } from "../texts/index.ts";
import { formatTime } from "../time.ts";
import { iconButton, make } from "./dom.ts";
import { save } from "./download.ts";
import type { PanelContent, PanelHost } from "./panel.ts";

export function notesPanel({ player, texts }: PanelHost): PanelContent {
  const { engine, video } = player;
  const lecture = engine ? lectureOf(engine.link) : "";
  let notes: readonly Note[] = parseNotes(keptNotes(lecture));
  let edited: number | undefined;
  /** The second at which the viewer began to write. */
  let at: number | undefined;

  const label = make("label", { for: "note-text" });
  const field = make("textarea", {
    id: "note-text",
    rows: "2",
    maxlength: String(MAX_NOTE_LENGTH),
  });
  const add = make("button", { type: "submit", class: "primary" }, texts.add_note);
  const form = make("form", { class: "note-form" }, label, field, add);
  const list = make("ol", { class: "notes" });
  const none = make("p", { class: "none" });
  const exported = make("button", { type: "button", class: "secondary" }, texts.export_notes);
  const kept = make("p", { class: "hint" }, texts.notes_kept);

  const keep = (changed: readonly Note[]): void => {
    notes = changed;
    if (!keepNotes(lecture, storedNotes(notes))) player.notice(texts.notes_not_kept);
    show();
  };
  const showTime = (): void => {
    const text = fill(texts.note_at, { time: formatTime(at ?? video.currentTime) });
    if (label.textContent !== text) label.textContent = text;
  };
  const addWritten = (): void => {
    const more = addNote(notes, at ?? video.currentTime, field.value);
    if (more === notes) return field.focus();
    at = undefined;
    field.value = "";
    keep(more);
    player.notice(texts.note_added);
    field.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    addWritten();
  });
  field.addEventListener("input", () => {
    at = field.value ? (at ?? video.currentTime) : undefined;
    showTime();
  });
  field.addEventListener("keydown", (event) => submitOnEnter(event, addWritten));

  const remove = (note: Note): void => {
    const before = notes;
    keep(notes.filter(({ id }) => id !== note.id));
    const undo = make("button", { type: "button" }, texts.undo);
    undo.addEventListener("click", () => {
      keep(before);
      player.notice("");
      focusNote(note.id);
    });
    player.notice(texts.note_deleted, undo);
    field.focus();
  };
  const focusNote = (id: number): void =>
    list.querySelector<HTMLElement>(`[data-id="${id}"] .edit`)?.focus();

  const item = (note: Note): HTMLElement => {
    const time = formatTime(note.at);
    const seek = make("button", { type: "button", class: "time" }, time);
    seek.setAttribute("aria-label", fill(texts.go_to, { time }));
    seek.addEventListener("click", () => player.seek(note.at));
    const named = (text: string): string => `${text}: ${time}`;
    if (note.id !== edited) {
      const edit = iconButton("edit", named(texts.edit), () => {
        edited = note.id;
        show();
        list.querySelector("textarea")?.focus();
      }, "edit");
      const drop = iconButton("remove", named(texts.delete), () => remove(note), "remove");
      const words = make("p", { dir: "auto" }, note.text);
      return make("li", { "data-id": String(note.id) }, seek, words, edit, drop);
    }
    const text = make("textarea", { rows: "3", maxlength: String(MAX_NOTE_LENGTH) });
    text.setAttribute("aria-label", named(texts.edit));
    text.value = note.text;
    const done = (): void => {
      edited = undefined;
      keep(editNote(notes, note.id, text.value));
      focusNote(note.id);
    };
    text.addEventListener("keydown", (event) => submitOnEnter(event, done));
    const ready = make("button", { type: "button", class: "primary" }, texts.save);
    ready.addEventListener("click", done);
    return make("li", { "data-id": String(note.id) }, seek, text, ready);
  };
  const show = (): void => {
    list.replaceChildren(...notes.map(item));
    none.textContent = notes.length === 0 ? texts.no_notes : "";
    exported.hidden = notes.length === 0;
  };
  exported.addEventListener("click", () => {
    const name = (engine && lectureName(engine.link)) ?? texts.lecture;
    save(`${name}.md`, notesAsMarkdown(name, notes));
  });
  show();
  showTime();
  return {
    nodes: [form, none, list, exported, kept],
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
