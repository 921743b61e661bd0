// A journal for browsers that store nothing, such as some private windows. It ends with the page.
import type { JournalEntry, UploadJournal } from "./journal.ts";

export class MemoryJournal implements UploadJournal {
  #entries = new Map<string, JournalEntry>();
  #parts = new Map<string, Map<number, string>>();

  async list(folder: string): Promise<JournalEntry[]> {
    return [...this.#entries.values()].filter(({ path }) => path.startsWith(folder));
  }

  async get(path: string): Promise<JournalEntry | undefined> {
    return this.#entries.get(path);
  }

  async put(entry: JournalEntry): Promise<void> {
    this.#entries.set(entry.path, entry);
  }

  async remove({ path, uploadId }: JournalEntry): Promise<void> {
    this.#entries.delete(path);
    if (uploadId) this.#parts.delete(uploadId);
  }

  async parts(uploadId: string): Promise<Map<number, string>> {
    return new Map(this.#parts.get(uploadId));
  }

  async acknowledge(uploadId: string, number: number, etag: string): Promise<void> {
    const parts = this.#parts.get(uploadId) ?? new Map<number, string>();
    this.#parts.set(uploadId, parts.set(number, etag));
  }
}
