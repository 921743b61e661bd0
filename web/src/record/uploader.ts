// Stores a recording at the edge, several objects at once, and keeps trying.
import { entityTagOf } from "./entity-tag.ts";
import {
  ENDED,
  iFramePlaylist,
  MASTER,
  mediaPlaylist,
  multivariantPlaylist,
  names,
} from "./playlist.ts";
import type { Recording } from "./recording.ts";
import { Ticker } from "./ticker.ts";
import { Troubles, troubleOf, type UploadTrouble } from "./trouble.ts";
import {
  judge,
  laneOf,
  LANES,
  masterConditions,
  nextStep,
  type UploadStep,
} from "./upload-plan.ts";

const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";
const SEGMENT_TYPE = "video/mp4";
/** The shortest time limit of a request, and the slowest line that it allows for. */
const REQUEST_MS = 20_000;
/** The time between looks for a heartbeat or a retry that is due, in milliseconds. */
const TICK_MS = 500;
const SLOWEST_BYTES_PER_MS = 8;

interface Body {
  name: string;
  type: string;
  content: ArrayBuffer | string;
}

type Conditions = Record<string, string>;

export class Uploader {
  readonly #recording: Recording;
  #token: string;
  #wake: () => void = () => {};
  readonly #closing = new AbortController();
  /** Lanes whose request is on its way. */
  readonly #flying = new Map<string, Promise<void>>();
  readonly #troubles = new Troubles();
  #shown = "";
  #listedAt = 0;
  /** Times of acknowledgements, as `performance.now()` gives them. */
  readonly acknowledged: { master?: number; end?: number } = {};
  /** Reports what keeps the recording from being stored, and nothing when it goes on. */
  onTrouble: (trouble: UploadTrouble | undefined) => void = () => {};

  constructor(recording: Recording, token: string) {
    this.#recording = recording;
    this.#token = token;
  }

  /** Looks for something to store. */
  wake(): void {
    this.#wake();
  }

  /** Goes on with a new link to the same folder. */
  goOn(token: string): void {
    this.#token = token;
    this.#retry(true);
  }

  /** Ends the requests that are on their way, and begins no other. */
  close(): void {
    this.#closing.abort();
    this.wake();
  }

  /** Stores the recording until it is complete at the edge, or the uploader is closed. */
  async run(): Promise<void> {
    const ticker = new Ticker(TICK_MS, () => this.wake());
    const online = () => this.#retry(false);
    addEventListener("online", online);
    try {
      while (!this.#closing.signal.aborted && !this.#recording.row.isAnnounced) {
        const change = new Promise<void>((resolve) => (this.#wake = resolve));
        for (let step = this.#next(); step; step = this.#next()) this.#start(step);
        await change;
      }
      await Promise.all(this.#flying.values());
    } finally {
      ticker.stop();
      removeEventListener("online", online);
    }
  }

  /**
   * Removes what this recording stored: first what viewers open, if it is still this recording's.
   * Names of the others are its own.
   */
  async discard(): Promise<void> {
    const { row, segments } = this.#recording;
    const { id, masterTags } = row;
    if (masterTags.length > 0) {
      const headers = { "If-Match": masterTags.join(", ") };
      const answer = await this.#send("DELETE", MASTER, { headers }).catch(() => undefined);
      // A package has taken its place, and the packager needs the parts.
      if (answer?.status === 412 && row.isMasterFinal) return;
    }
    // The answers to the first of the others may be lost.
    const others = segments.filter(({ isStored }) => !isStored).slice(0, LANES);
    const sent = [...segments.filter(({ isStored }) => isStored), ...others];
    const all = [
      names.playlist(id),
      ...(row.isEndListed ? [names.iFrames(id)] : []),
      names.init(id),
      ...sent.map(({ number }) => names.segment(id, number)),
    ];
    for (const name of all) await this.#send("DELETE", name).catch(() => {});
  }

  #retry(isByCreator: boolean): void {
    this.#troubles.retry(isByCreator);
    this.wake();
  }

  #next(): UploadStep | undefined {
    if (this.#closing.signal.aborted || this.#troubles.isBlocked) return undefined;
    const { row, segments } = this.#recording;
    const state = { ...row, hasInit: row.init !== undefined, segments, listedAt: this.#listedAt };
    const now = Date.now();
    const busy = new Set([...this.#flying.keys(), ...this.#troubles.waiting(now)]);
    return nextStep(state, busy, now);
  }

  #start(step: UploadStep): void {
    const lane = laneOf(step);
    const stored = this.#store(step).then((trouble) => {
      this.#flying.delete(lane);
      if (this.#closing.signal.aborted) return;
      if (trouble) this.#troubles.fail(lane, trouble, Date.now(), Math.random());
      else this.#troubles.succeed(lane);
      this.#showTrouble();
      this.wake();
    });
    this.#flying.set(lane, stored);
  }

  #showTrouble(): void {
    const trouble = this.#troubles.first;
    const shown = JSON.stringify(trouble) ?? "";
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.onTrouble(trouble);
  }

  /** Stores an object. Returns what prevents it. */
  async #store(step: UploadStep): Promise<UploadTrouble | undefined> {
    const body = await this.#body(step).catch(() => undefined);
    if (!body) return { kind: "unreadable" };
    const answer = await this.#put(step, body).catch(() => undefined);
    const status = answer?.status ?? 0;
    const verdict = judge(status);
    if (verdict === "stored") {
      this.#record(step, answer?.headers.get("ETag") ?? undefined);
      return undefined;
    }
    const problem: unknown = await answer?.json().catch(() => undefined);
    return troubleOf(verdict, status, problem as { code?: unknown; detail?: unknown } | undefined);
  }

  async #body(step: UploadStep): Promise<Body | undefined> {
    const { row, segments, tracks, ceiling } = this.#recording;
    const { id } = row;
    switch (step.kind) {
      case "init":
        return row.init && { name: names.init(id), type: SEGMENT_TYPE, content: row.init };
      case "segment": {
        const content = await this.#recording.body(step.number);
        const name = names.segment(id, step.number);
        return content && { name, type: SEGMENT_TYPE, content };
      }
      case "playlist": {
        const content = mediaPlaylist(id, segments.slice(0, step.count), step.isEnded);
        return { name: names.playlist(id), type: PLAYLIST_TYPE, content };
      }
      case "i_frames": {
        const content = iFramePlaylist(id, segments);
        return { name: names.iFrames(id), type: PLAYLIST_TYPE, content };
      }
      case "master": {
        const { frameRate } = row.shape;
        const rates = { frameRate, ceiling: step.isFinal ? undefined : ceiling };
        const content = multivariantPlaylist(id, tracks, segments, rates);
        return { name: MASTER, type: PLAYLIST_TYPE, content };
      }
      case "announce":
        return { name: ENDED, type: "application/octet-stream", content: "" };
    }
  }

  async #put(step: UploadStep, body: Body): Promise<Response> {
    if (step.kind !== "master") return this.#putIf(body);
    const { isMasterStored, masterTags } = this.#recording.row;
    await this.#noteMasterTag(entityTagOf(String(body.content)));
    let answer: Response | undefined;
    for (const conditions of masterConditions(isMasterStored, masterTags)) {
      answer = await this.#putIf(body, conditions);
      if (answer.status !== 412) break;
    }
    return answer!;
  }

  /** Remembers an entity-tag of the Multivariant Playlist, before an answer to it can be lost. */
  async #noteMasterTag(tag: string): Promise<void> {
    const { masterTags } = this.#recording.row;
    if (masterTags.includes(tag)) return;
    await this.#recording.update({ masterTags: [...masterTags, tag] });
  }

  #putIf({ name, type, content }: Body, conditions: Conditions = {}): Promise<Response> {
    const headers = { "Content-Type": type, ...conditions };
    const length = typeof content === "string" ? content.length : content.byteLength;
    return this.#send("PUT", name, { headers, body: content }, length);
  }

  #send(method: string, name: string, init: RequestInit = {}, bytes = 0): Promise<Response> {
    const limit = AbortSignal.timeout(REQUEST_MS + Math.ceil(bytes / SLOWEST_BYTES_PER_MS));
    return fetch(this.#recording.row.target + name, {
      ...init,
      method,
      headers: { ...init.headers, Authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.any([this.#closing.signal, limit]),
    });
  }

  /** Notes a stored object. The next step does not wait for the disk. */
  #record(step: UploadStep, tag: string | undefined): void {
    const recording = this.#recording;
    switch (step.kind) {
      case "init":
        return void recording.update({ isInitStored: true });
      case "segment": {
        const segment = recording.segments.find(({ number }) => number === step.number);
        return void (segment && recording.markStored(segment));
      }
      case "playlist":
        this.#listedAt = Date.now();
        if (step.isEnded) this.acknowledged.end = performance.now();
        return void recording.update({ listed: step.count, isEndListed: step.isEnded });
      case "i_frames":
        return void recording.update({ isIFramesStored: true });
      case "master":
        this.acknowledged.master ??= performance.now();
        void recording.update({ isMasterStored: true, isMasterFinal: step.isFinal });
        return void (tag && this.#noteMasterTag(tag));
      case "announce":
        return void recording.update({ isAnnounced: true });
    }
  }
}
