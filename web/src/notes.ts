// Notes of a viewer at seconds of a lecture. Pure.
import { formatTime } from "./time.ts";

export interface Note {
  id: number;
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
  const notes = listed.slice(0, MAX_NOTES).flatMap((entry: unknown, id): Note[] => {
    const [at, words] = Array.isArray(entry) ? entry : [];
    return Number.isFinite(at) && at >= 0 && typeof words === "string" && words.trim()
      ? [{ id, at, text: words.slice(0, MAX_NOTE_LENGTH) }]
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
  const words = text.trim().slice(0, MAX_NOTE_LENGTH);
  if (!words || notes.length >= MAX_NOTES || !Number.isFinite(at)) return notes;
  const id = 1 + Math.max(-1, ...notes.map((note) => note.id));
  return sorted([...notes, { id, at: Math.max(0, Math.floor(at)), text: words }]);
}

/** Changes the text of a note. Without a text, the note goes. */
export function editNote(notes: readonly Note[], id: number, text: string): readonly Note[] {
  const words = text.trim().slice(0, MAX_NOTE_LENGTH);
  if (!words) return notes.filter((note) => note.id !== id);
  return notes.map((note) => (note.id === id ? { ...note, text: words } : note));
}

/** Notes as Markdown: a heading, and an entry a note with its time. */
export function notesAsMarkdown(title: string, notes: readonly Note[]): string {
  const entries = notes.map(
    ({ at, text }) => `- **${formatTime(at)}** ${text.replaceAll(/\r?\n|\r/g, "\n  ")}\n`,
  );
  return `# ${title}\n\n${entries.join("")}`;
}

function sorted(notes: Note[]): Note[] {
  return notes.sort((one, other) => one.at - other.at || one.id - other.id);
}
