// The journal of uploads in IndexedDB. It is the only record of acknowledged parts, because the
// storage's binding lists none.
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { FileIdentity } from "./file-check.ts";

const DATABASE = "lectern studio";
const VERSION = 2;

/** An upload that is not over. */
export interface JournalEntry {
  /** The object's URL path, percent-encoded. */
  path: string;
  file: FileIdentity;
  partBytes: number;
  /** The edge's id of an upload in parts. */
  uploadId?: string;
  /** The upload may replace an object of the same name. */
  mayReplace: boolean;
  /** A request that completes the upload was sent, and its answer may be lost. */
  isCompleting: boolean;
  /** The object is stored. */
  isStored: boolean;
  /** The time of a status that was there before the upload: that of an earlier upload. */
  statusBefore?: number;
  /** Seconds of the recording. */
  seconds?: number;
  /** The file, which the browser opens again with permission. */
  handle?: FileSystemFileHandle;
  /** Milliseconds since 1970. */
  begun: number;
}

interface JournalPart {
  uploadId: string;
  number: number;
  etag: string;
}

type StoredEntry = Omit<JournalEntry, "handle">;

interface JournalSchema extends DBSchema {
  uploads: { key: string; value: StoredEntry };
  /** Apart from the uploads, because a handle that the browser cannot read fails its whole row. */
  handles: { key: string; value: FileSystemFileHandle };
  parts: { key: [string, number]; value: JournalPart };
}

/** The journal as an upload uses it. */
export interface UploadJournal {
  /** The uploads to a folder, the oldest first. */
  list(folder: string): Promise<JournalEntry[]>;
  get(path: string): Promise<JournalEntry | undefined>;
  put(entry: JournalEntry): Promise<void>;
  /** Removes an upload and its parts. */
  remove(entry: JournalEntry): Promise<void>;
  parts(uploadId: string): Promise<Map<number, string>>;
  acknowledge(uploadId: string, number: number, etag: string): Promise<void>;
}

const allOf = (uploadId: string): IDBKeyRange =>
  IDBKeyRange.bound([uploadId, 0], [uploadId, Infinity]);

export class Journal implements UploadJournal {
  #database: IDBPDatabase<JournalSchema>;

  private constructor(database: IDBPDatabase<JournalSchema>) {
    this.#database = database;
  }

  static async open(): Promise<Journal> {
    const database = await openDB<JournalSchema>(DATABASE, VERSION, {
      upgrade(database, before) {
        database.createObjectStore("handles");
        if (before > 0) return;
        database.createObjectStore("uploads", { keyPath: "path" });
        database.createObjectStore("parts", { keyPath: ["uploadId", "number"] });
      },
    });
    return new Journal(database);
  }

  /** The uploads to a folder, the oldest first. */
  async list(folder: string): Promise<JournalEntry[]> {
    const paths = (await this.#database.getAllKeys("uploads")).filter((path) =>
      path.startsWith(folder),
    );
    // One row that cannot be read hides no other.
    const found = await Promise.all(paths.map((path) => this.get(path).catch(() => undefined)));
    const readable = found.filter((entry) => entry !== undefined);
    return readable.sort((one, other) => one.begun - other.begun);
  }

  async get(path: string): Promise<JournalEntry | undefined> {
    const entry = await this.#database.get("uploads", path);
    const handle = entry && (await this.#database.get("handles", path).catch(() => undefined));
    return entry && { ...entry, ...(handle && { handle }) };
  }

  async put({ handle, ...entry }: JournalEntry): Promise<void> {
    const written = this.#database.transaction("uploads", "readwrite", { durability: "strict" });
    await written.store.put(entry);
    await written.done;
    // Some browsers store no handles. The person then chooses the file again.
    if (handle) await this.#database.put("handles", handle, entry.path).catch(() => {});
  }

  async remove({ path, uploadId }: JournalEntry): Promise<void> {
    const stores = ["uploads", "handles", "parts"] as const;
    const written = this.#database.transaction(stores, "readwrite");
    await written.objectStore("uploads").delete(path);
    await written.objectStore("handles").delete(path);
    if (uploadId) await written.objectStore("parts").delete(allOf(uploadId));
    await written.done;
  }

  async parts(uploadId: string): Promise<Map<number, string>> {
    const parts = await this.#database.getAll("parts", allOf(uploadId));
    return new Map(parts.map(({ number, etag }) => [number, etag]));
  }

  async acknowledge(uploadId: string, number: number, etag: string): Promise<void> {
    const written = this.#database.transaction("parts", "readwrite", { durability: "strict" });
    await written.store.put({ uploadId, number, etag });
    await written.done;
  }
}
