// Notes of a viewer at seconds of a lecture. Pure.
import { formatTime } from "./time.ts";

export interface Note {
  /** The second of the lecture. */
  at: number;
  text: string;
}

export const MAX_NOTES = 500;
export const MAX_NOTE_LENGTH = 2_000;
/** The longest text that is read, so that notes of a whole lecture fit. */
const MAX_STORED_LENGTH = 2 * MAX_NOTES * (MAX_NOTE_LENGTH + 100);

/** Reads kept notes. Leaves out what is no note. */
export function parseNotes(text: string | undefined): Note[] {
  if (!text || text.length > MAX_STORED_LENGTH) return [];
  let listed: unknown;
  try {
    listed = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(listed)) return [];
  const notes = listed.slice(0, MAX_NOTES).flatMap((entry: unknown): Note[] => {
    const [at, text] = Array.isArray(entry) ? entry : [];
    return Number.isFinite(at) && at >= 0 && typeof text === "string" && text.trim()
      ? [{ at, text: text.slice(0, MAX_NOTE_LENGTH) }]
      : [];
  });
  return sorted(notes);
}

/** Notes as the browser keeps them, or nothing without notes. */
export function storedNotes(notes: readonly Note[]): string | undefined {
  return notes.length > 0 ? JSON.stringify(notes.map(({ at, text }) => [at, text])) : undefined;
}

/** Adds a note, or returns the same notes if it is empty or one too many. */
export function addNote(notes: readonly Note[], at: number, text: string): readonly Note[] {
  const trimmed = text.trim().slice(0, MAX_NOTE_LENGTH);
  if (!trimmed || notes.length >= MAX_NOTES || !Number.isFinite(at)) return notes;
  return sorted([...notes, { at: Math.max(0, Math.floor(at)), text: trimmed }]);
}

/** Removes a note, which another tab may have removed before. */
export function removeNote(notes: readonly Note[], note: Note): readonly Note[] {
  const index = notes.findIndex((other) => isSame(other, note));
  return notes.filter((_, at) => at !== index);
}

/**
 * Changes the text of a note. Without a text, the note goes. A note that another tab removed comes
 * back with its new text.
 */
export function editNote(notes: readonly Note[], note: Note, text: string): readonly Note[] {
  const trimmed = text.trim().slice(0, MAX_NOTE_LENGTH);
  const index = notes.findIndex((other) => isSame(other, note));
  if (!trimmed) return removeNote(notes, note);
  if (index < 0) return addNote(notes, note.at, trimmed);
  return notes.map((other, at) => (at === index ? { ...other, text: trimmed } : other));
}

/** The notes that the browser keeps, with those that it could not keep. */
export function mergeNotes(kept: readonly Note[], unkept: readonly Note[]): readonly Note[] {
  const missing = unkept.filter((note) => !kept.some((other) => isSame(other, note)));
  return sorted([...kept, ...missing]).slice(0, MAX_NOTES);
}

/** Returns whether two notes say the same at the same second, as after a reload. */
export function isSame(one: Note, other: Note): boolean {
  return one.at === other.at && one.text === other.text;
}

/** Notes as Markdown: a heading, and an entry a note with its time. */
export function notesAsMarkdown(title: string, notes: readonly Note[]): string {
  const entries = notes.map(
    ({ at, text }) => `- **${formatTime(at)}** ${text.replaceAll(/\r?\n|\r/g, "\n  ")}\n`,
  );
  return `# ${title}\n\n${entries.join("")}`;
}

function sorted(notes: Note[]): Note[] {
  return notes.sort((one, other) => one.at - other.at);
}
