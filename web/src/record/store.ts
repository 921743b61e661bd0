// Recordings on the device, in IndexedDB. A segment is here before it is anywhere else.
import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { ListedSegment } from "./playlist.ts";
import type { VideoShape } from "./shape.ts";

/**
 * A recording, and the state of its objects at the edge. Its key is the URL of its first link's
 * folder.
 */
export interface StoredRecording {
  folder: string;
  /** The URL of the folder that it is stored in: another one if the first held a recording. */
  target: string;
  /** The part of its objects' names that no other recording has. */
  id: string;
  shape: VideoShape;
  hasAudio: boolean;
  startedAt: number;
  init?: ArrayBuffer;
  isStopped: boolean;
  /** Entity-tags of Multivariant Playlists that were sent, and so may be stored. */
  masterTags: string[];
  isInitStored: boolean;
  listed: number;
  isMasterStored: boolean;
  isEndListed: boolean;
  isIFramesStored: boolean;
  isMasterFinal: boolean;
  isAnnounced: boolean;
}

export interface StoredSegment extends ListedSegment {
  folder: string;
  isStored: boolean;
}

interface RecorderSchema extends DBSchema {
  recordings: { key: string; value: StoredRecording };
  segments: { key: [string, number]; value: StoredSegment };
  bodies: { key: [string, number]; value: ArrayBuffer };
}

const NAME = "lectern-recorder";
const VERSION = 2;

/** The disk is full, and nothing could be removed for the segment. */
export class DiskFull extends Error {}

export class RecordingStore {
  readonly #db: IDBPDatabase<RecorderSchema>;

  private constructor(db: IDBPDatabase<RecorderSchema>) {
    this.#db = db;
  }

  static async open(): Promise<RecordingStore> {
    const db = await openDB<RecorderSchema>(NAME, VERSION, {
      upgrade(created) {
        // Version 1 was never released.
        for (const name of [...created.objectStoreNames]) created.deleteObjectStore(name);
        created.createObjectStore("recordings", { keyPath: "folder" });
        created.createObjectStore("segments", { keyPath: ["folder", "number"] });
        created.createObjectStore("bodies");
      },
    });
    return new RecordingStore(db);
  }

  /** Finds the recording that is stored in a folder, or began with a link to it. */
  async find(folder: string): Promise<StoredRecording | undefined> {
    const own = await this.#db.get("recordings", folder);
    if (own) return own;
    return (await this.#db.getAll("recordings")).find(({ target }) => target === folder);
  }

  segments(folder: string): Promise<StoredSegment[]> {
    return this.#db.getAll("segments", keysOf(folder));
  }

  body(folder: string, number: number): Promise<ArrayBuffer | undefined> {
    return this.#db.get("bodies", [folder, number]);
  }

  async save(recording: StoredRecording): Promise<void> {
    await this.#db.put("recordings", recording);
  }

  async saveSegment(segment: StoredSegment): Promise<void> {
    await this.#db.put("segments", segment);
  }

  /**
   * Adds a segment. If the disk is full, bodies that the edge has make room.
   * @throws {DiskFull}
   */
  async add(segment: StoredSegment, body: ArrayBuffer): Promise<void> {
    try {
      await this.#put(segment, body);
    } catch (error) {
      if (!isQuotaError(error)) throw error;
      await this.#dropStoredBodies(segment.folder);
      await this.#put(segment, body).catch((again) => {
        throw isQuotaError(again) ? new DiskFull() : again;
      });
    }
  }

  /** Removes a recording from the device. */
  async remove(folder: string): Promise<void> {
    const change = this.#db.transaction(["recordings", "segments", "bodies"], "readwrite");
    await Promise.all([
      change.objectStore("recordings").delete(folder),
      change.objectStore("segments").delete(keysOf(folder)),
      change.objectStore("bodies").delete(keysOf(folder)),
      change.done,
    ]);
  }

  async #put(segment: StoredSegment, body: ArrayBuffer): Promise<void> {
    const change = this.#db.transaction(["segments", "bodies"], "readwrite");
    const key: [string, number] = [segment.folder, segment.number];
    await Promise.all([
      change.objectStore("segments").put(segment),
      change.objectStore("bodies").put(body, key),
      change.done,
    ]);
  }

  async #dropStoredBodies(folder: string): Promise<void> {
    const stored = (await this.segments(folder)).filter(({ isStored }) => isStored);
    const change = this.#db.transaction("bodies", "readwrite");
    await Promise.all([
      ...stored.map(({ number }) => change.store.delete([folder, number])),
      change.done,
    ]);
  }
}

function keysOf(folder: string): IDBKeyRange {
  return IDBKeyRange.bound([folder, 0], [folder, Number.MAX_SAFE_INTEGER]);
}

function isQuotaError(error: unknown): boolean {
  const name = (error as { name?: unknown } | null)?.name;
  return name === "QuotaExceededError" || (name === "AbortError" && /quota/i.test(String(error)));
}
