// One recording on the device: its facts in memory, and each change in the store.
import {
  areJoinable,
  fillSegment,
  numberFragments,
  readSegment,
  readTracks,
  type TrackFacts,
} from "./mp4.ts";
import { mayEnd, newId } from "./playlist.ts";
import { ceilingOf, type VideoShape } from "./shape.ts";
import {
  DiskFull,
  type RecordingStore,
  type StoredRecording,
  type StoredSegment,
} from "./store.ts";

/** Bytes of segments that memory holds while the disk is full. */
const MEMORY_BYTES = 64 << 20;
/** The newest segments, which memory keeps until they are stored: no upload waits for the disk. */
const RECENT = 2;

/** A continued recording has another encoder than before. Its segments cannot be joined. */
export class OtherEncoder extends Error {}

export class Recording {
  readonly #store: RecordingStore;
  readonly row: StoredRecording;
  readonly segments: StoredSegment[];
  /** Bodies that the disk has no room for. */
  readonly #held = new Map<number, ArrayBuffer>();
  #heldBytes = 0;
  readonly #recent = new Map<number, ArrayBuffer>();
  #fresh: StoredSegment | undefined;
  #isFreshTail = false;
  #tracks: TrackFacts[];
  /** Reports a disk that is full, and one that has room again. */
  onDisk: (isFull: boolean) => void = () => {};
  onChange: () => void = () => {};

  constructor(store: RecordingStore, row: StoredRecording, segments: StoredSegment[]) {
    this.#store = store;
    this.row = row;
    this.segments = segments;
    this.#tracks = row.init ? readTracks(row.init) : [];
  }

  static async create(
    store: RecordingStore,
    { folder, shape, hasAudio, replaced = [] }: {
      folder: string;
      shape: VideoShape;
      hasAudio: boolean;
      /** Entity-tags of Multivariant Playlists that this one may replace. */
      replaced?: string[];
    },
  ): Promise<Recording> {
    await store.remove(folder);
    const recording = new Recording(
      store,
      {
        folder,
        target: folder,
        id: newId(),
        shape,
        hasAudio,
        startedAt: Date.now(),
        isStopped: false,
        masterTags: replaced,
        isInitStored: false,
        listed: 0,
        isMasterStored: false,
        isEndListed: false,
        isIFramesStored: false,
        isMasterFinal: false,
        isAnnounced: false,
      },
      [],
    );
    await store.save(recording.row);
    return recording;
  }

  /** Finds the recording of a folder, as the last visit left it. */
  static async find(store: RecordingStore, folder: string): Promise<Recording | undefined> {
    const row = await store.find(folder);
    return row && new Recording(store, row, await store.segments(row.folder));
  }

  get tracks(): readonly TrackFacts[] {
    return this.#tracks;
  }

  get seconds(): number {
    return this.segments.reduce((sum, { seconds }) => sum + seconds, 0);
  }

  get bytes(): number {
    return this.segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get nextNumber(): number {
    return (this.segments.at(-1)?.number ?? 0) + 1;
  }

  get ceiling(): number {
    return ceilingOf(this.row.shape, this.row.hasAudio);
  }

  /** Returns whether memory is full, too. Nothing may be recorded then. */
  get isFull(): boolean {
    return this.#heldBytes >= MEMORY_BYTES;
  }

  /**
   * Takes an initialization section of the muxer.
   * @throws {OtherEncoder}
   */
  async takeInit(init: ArrayBuffer): Promise<void> {
    if (this.row.init) {
      if (!areJoinable(this.row.init, init)) throw new OtherEncoder();
      return;
    }
    this.#tracks = readTracks(init);
    await this.update({ init });
  }

  /**
   * Takes a segment of the muxer, which no playlist may name before `listSegment`. A last one that
   * is too short to play is left out.
   */
  async takeSegment(body: ArrayBuffer, isTail: boolean): Promise<void> {
    const facts = readSegment(body, this.#tracks);
    const { seconds, frames, keyframe } = facts;
    if (isTail && !mayEnd(facts)) return;
    const { folder } = this.row;
    const number = this.nextNumber;
    numberFragments(body, number);
    const bytes = body.byteLength;
    const segment = {
      folder,
      number,
      seconds,
      bytes,
      frames,
      frameSeconds: seconds,
      keyframe,
      isStored: false,
    };
    this.#isFreshTail = isTail;
    try {
      await this.#store.add(segment, body);
      this.#remember(number, body);
      this.onDisk(false);
    } catch (error) {
      if (!(error instanceof DiskFull)) throw error;
      this.#held.set(segment.number, body);
      this.#heldBytes += body.byteLength;
      this.onDisk(true);
    }
    this.#fresh = segment;
  }

  /** Lists the segment that was taken last, with its exact length. */
  listSegment(seconds: number | undefined): void {
    const segment = this.#fresh;
    if (!segment) return;
    this.#fresh = undefined;
    // The muxer's length of the last segment has the end of the sound.
    if (seconds && !this.#isFreshTail) segment.seconds = seconds;
    const body = this.#held.get(segment.number) ?? this.#recent.get(segment.number);
    if (body) {
      fillSegment(body, this.#tracks, segment.seconds);
      segment.frameSeconds = readSegment(body, this.#tracks).seconds;
    }
    this.segments.push(segment);
    void this.#saveSegment(segment);
    this.onChange();
  }

  /** Reads a listed segment. */
  async body(number: number): Promise<ArrayBuffer | undefined> {
    const held = this.#held.get(number) ?? this.#recent.get(number);
    const body = held ?? (await this.#store.body(this.row.folder, number));
    const listed = this.segments.find((segment) => segment.number === number);
    if (body && listed) fillSegment(body, this.#tracks, listed.seconds);
    return body;
  }

  async markStored(segment: StoredSegment): Promise<void> {
    segment.isStored = true;
    this.#heldBytes -= this.#held.get(segment.number)?.byteLength ?? 0;
    this.#held.delete(segment.number);
    this.#recent.delete(segment.number);
    await this.#saveSegment(segment);
    this.onChange();
  }

  /** Stores all of it in another folder, because this one holds another recording. */
  async moveTo(target: string): Promise<void> {
    await Promise.all(
      this.segments.map((segment) => {
        segment.isStored = false;
        return this.#saveSegment(segment);
      }),
    );
    const nothing = { isInitStored: false, listed: 0, isMasterStored: false, isEndListed: false };
    const later = { isIFramesStored: false, isMasterFinal: false, masterTags: [] };
    await this.update({ target, ...nothing, ...later });
  }

  async update(change: Partial<StoredRecording>): Promise<void> {
    Object.assign(this.row, change);
    // A full disk loses a state, which a later visit finds out by storing an object again.
    await this.#store.save(this.row).catch(() => this.onDisk(true));
    this.onChange();
  }

  /** Removes the recording from the device. */
  remove(): Promise<void> {
    return this.#store.remove(this.row.folder);
  }

  /** Joins what the device has to one file, or nothing if a part of it is only at the edge. */
  async file(): Promise<Blob | undefined> {
    const { init } = this.row;
    if (!init || this.segments.length === 0) return undefined;
    // The browser keeps large blobs on the disk.
    const parts = [new Blob([init])];
    for (const { number } of this.segments) {
      const body = await this.body(number);
      if (!body) return undefined;
      parts.push(new Blob([body]));
    }
    return new Blob(parts, { type: "video/mp4" });
  }

  #remember(number: number, body: ArrayBuffer): void {
    this.#recent.set(number, body);
    for (const old of this.#recent.keys()) {
      if (old <= number - RECENT) this.#recent.delete(old);
    }
  }

  async #saveSegment(segment: StoredSegment): Promise<void> {
    if (this.#held.has(segment.number)) return;
    await this.#store.saveSegment(segment).catch(() => this.onDisk(true));
  }
}
