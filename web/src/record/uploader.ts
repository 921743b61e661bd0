// Stores a recording at the edge, one object after the other, and keeps trying.
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
import { judge, nextStep, retryMs, type UploadStep, type UploadVerdict } from "./upload-plan.ts";

const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";
const SEGMENT_TYPE = "video/mp4";
/** The shortest time limit of a request, and the slowest line that it allows for. */
const REQUEST_MS = 20_000;
/** The time between looks for a heartbeat or a retry that is due, in milliseconds. */
const TICK_MS = 500;
const SLOWEST_BYTES_PER_MS = 8;

export type UploadTrouble =
  | { kind: "offline" }
  | { kind: "new_link"; isExpired: boolean }
  | { kind: "exists" }
  | { kind: "refused"; status: number; detail: string };

type UploadObject =
  | Exclude<UploadStep, { kind: "segments" }>
  | { kind: "segment"; number: number };

interface Body {
  name: string;
  type: string;
  content: ArrayBuffer | string;
  isNew?: boolean;
}

export class Uploader {
  readonly #recording: Recording;
  #token: string;
  #wake: () => void = () => {};
  #isClosed = false;
  /** Only the creator can end this trouble. */
  #isBlocked = false;
  #failures = 0;
  #retryAt = 0;
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

  /** Goes on with a new link to the same folder, or after the creator's answer. */
  goOn(token = this.#token): void {
    this.#token = token;
    this.#isBlocked = false;
    this.#retryNow();
  }

  close(): void {
    this.#isClosed = true;
    this.wake();
  }

  /** Stores the recording until it is complete at the edge, or the uploader is closed. */
  async run(): Promise<void> {
    const ticker = new Ticker(TICK_MS, () => this.wake());
    const online = () => this.#retryNow();
    addEventListener("online", online);
    try {
      while (!this.#isClosed && !this.#recording.row.isAnnounced) {
        const change = new Promise<void>((resolve) => (this.#wake = resolve));
        const isWaiting = this.#isBlocked || Date.now() < this.#retryAt;
        const step = isWaiting ? undefined : this.#next();
        if (!step || !(await this.#take(step))) await change;
      }
    } finally {
      ticker.stop();
      removeEventListener("online", online);
    }
  }

  /** Removes what an attempt stored: first what viewers open. */
  async discard(): Promise<void> {
    const { row, segments } = this.#recording;
    const { attempt } = row;
    const stored = segments.filter(({ isStored }) => isStored);
    const all = [
      ...(row.isMasterStored ? [MASTER] : []),
      ...(row.listed > 0 ? [names.playlist(attempt)] : []),
      ...(row.isInitStored ? [names.init(attempt)] : []),
      ...stored.map(({ number }) => names.segment(attempt, number)),
    ];
    for (const name of all) await this.#send("DELETE", name).catch(() => {});
  }

  #retryNow(): void {
    this.#retryAt = 0;
    this.#failures = 0;
    this.wake();
  }

  #next(): UploadStep | undefined {
    const { row, segments } = this.#recording;
    const state = { ...row, hasInit: row.init !== undefined, segments, listedAt: this.#listedAt };
    return nextStep(state, Date.now());
  }

  /** Takes a step. Returns whether the next may follow at once. */
  async #take(step: UploadStep): Promise<boolean> {
    if (step.kind !== "segments") return this.#store(step);
    const stored = step.numbers.map((number) => this.#store({ kind: "segment", number }));
    return (await Promise.all(stored)).every(Boolean);
  }

  /** Stores an object. Returns whether it is stored. */
  async #store(object: UploadObject): Promise<boolean> {
    const body = await this.#body(object);
    if (!body) return false;
    // An init section that was sent before this try may be there by an own request.
    const wasSent = this.#recording.row.isInitSent;
    if (object.kind === "init" && !wasSent) await this.#recording.update({ isInitSent: true });
    const answer = await this.#put(body).catch(() => undefined);
    const verdict = judge(answer?.status ?? 0);
    if (verdict === "stored" || (verdict === "exists" && object.kind === "init" && wasSent)) {
      this.#failures = 0;
      this.onTrouble(undefined);
      await this.#record(object);
      return true;
    }
    const problem: unknown = await answer?.json().catch(() => undefined);
    this.#report(verdict, answer?.status ?? 0, problem as { code?: unknown; detail?: unknown });
    return false;
  }

  #report(
    verdict: UploadVerdict,
    status: number,
    problem: { code?: unknown; detail?: unknown } | undefined,
  ): void {
    if (verdict === "retry") {
      this.#retryAt = Date.now() + retryMs(this.#failures++, Math.random());
      return this.onTrouble({ kind: "offline" });
    }
    this.#isBlocked = true;
    if (verdict === "new_link") {
      return this.onTrouble({ kind: "new_link", isExpired: problem?.code === "expired" });
    }
    if (verdict === "exists") return this.onTrouble({ kind: "exists" });
    const detail = typeof problem?.detail === "string" ? problem.detail : "";
    this.onTrouble({ kind: "refused", status, detail });
  }

  async #body(step: UploadObject): Promise<Body | undefined> {
    const { row, segments, tracks, ceiling } = this.#recording;
    const { attempt } = row;
    switch (step.kind) {
      case "init":
        return (
          row.init && {
            name: names.init(attempt),
            type: SEGMENT_TYPE,
            content: row.init,
            isNew: true,
          }
        );
      case "segment": {
        const content = await this.#recording.body(step.number);
        const name = names.segment(attempt, step.number);
        return content && { name, type: SEGMENT_TYPE, content };
      }
      case "playlist": {
        const content = mediaPlaylist(attempt, segments.slice(0, step.count), step.isEnded);
        return { name: names.playlist(attempt), type: PLAYLIST_TYPE, content };
      }
      case "i_frames": {
        const content = iFramePlaylist(attempt, segments);
        return { name: names.iFrames(attempt), type: PLAYLIST_TYPE, content };
      }
      case "master": {
        const { frameRate } = row.shape;
        const rates = { frameRate, ceiling: step.isFinal ? undefined : ceiling };
        const content = multivariantPlaylist(attempt, tracks, segments, rates);
        return { name: MASTER, type: PLAYLIST_TYPE, content };
      }
      case "announce":
        return { name: ENDED, type: "application/octet-stream", content: "" };
    }
  }

  #put({ name, type, content, isNew }: Body): Promise<Response> {
    const headers: Record<string, string> = { "Content-Type": type };
    if (isNew) headers["If-None-Match"] = "*";
    const length = typeof content === "string" ? content.length : content.byteLength;
    return this.#send("PUT", name, { headers, body: content }, length);
  }

  #send(method: string, name: string, init: RequestInit = {}, bytes = 0): Promise<Response> {
    return fetch(this.#recording.row.folder + name, {
      ...init,
      method,
      headers: { ...init.headers, Authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(REQUEST_MS + bytes / SLOWEST_BYTES_PER_MS),
    });
  }

  async #record(step: UploadObject): Promise<void> {
    const recording = this.#recording;
    switch (step.kind) {
      case "init":
        return recording.update({ isInitStored: true });
      case "segment": {
        const segment = recording.segments.find(({ number }) => number === step.number);
        if (segment) await recording.markStored(segment);
        return;
      }
      case "playlist":
        this.#listedAt = Date.now();
        if (step.isEnded) this.acknowledged.end = performance.now();
        return recording.update({ listed: step.count, isEndListed: step.isEnded });
      case "i_frames":
        return recording.update({ isIFramesStored: true });
      case "master":
        this.acknowledged.master ??= performance.now();
        return recording.update({ isMasterStored: true, isMasterFinal: step.isFinal });
      case "announce":
        return recording.update({ isAnnounced: true });
    }
  }
}
