// One upload: in one request, or in parts over three lanes. Requests, journal and waiting are
// handed in.
import { type EdgeAnswer, judge, retryDelayMs, type Verdict } from "./answers.ts";
import type { EdgeRequest, EdgeWriter, UploadAnswer } from "./edge.ts";
import type { JournalEntry, UploadJournal } from "./journal.ts";
import { bytesOf, isOneRequest, missingParts, partRange, planParts } from "./parts.ts";

const LANES = 3;
/** The age at which storage may have forgotten an upload in parts (R2: 7 days). */
const FORGOTTEN_MS = 6 * 86_400_000;
/**
 * Parts that no upload has: a request that lists them never completes an upload. The edge may
 * refuse a list that does not begin with part 1.
 */
const NO_PARTS = JSON.stringify({
  parts: [1, 9_999].map((partNumber) => ({ partNumber, etag: "none" })),
});

export type UploadOutcome =
  | { name: "stored" }
  /** The link has expired or was withdrawn. */
  | { name: "link"; code: string }
  /** An object has this name. It may be this upload, if an answer was lost. */
  | { name: "exists"; isMaybeOwn: boolean }
  /** The file changed or vanished while it went up. */
  | { name: "file_changed" }
  /** The object is stored, and the edge could not announce it to the packager. */
  | { name: "unannounced" }
  | { name: "failed"; status: number; detail: string };

/** Surroundings of an upload. */
export interface UploadPorts {
  edge: EdgeWriter;
  journal: UploadJournal;
  /** Waits for the time, or until the browser has a connection again. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  now(): number;
  /** Reports bytes that are stored or on their way. */
  onProgress(bytes: number): void;
  /** Reports that requests get no answer, and that they get one again. */
  onWaiting(isWaiting: boolean): void;
  /** Reads the time of a status of the object, which an earlier upload left. */
  readStatusTime?(): Promise<number | undefined>;
  /** Reports that storage forgot the parts, so that the upload begins again. */
  onRestart(): void;
}

/** A request's answer, and its meaning. */
interface Settled {
  verdict: Verdict | "file_changed";
  answer: UploadAnswer;
}

export class Upload {
  readonly #file: Blob;
  readonly #ports: UploadPorts;
  readonly #signal: AbortSignal;
  #entry: JournalEntry;
  /** The end that a lane met first. No lane begins another request after it. */
  #end: UploadOutcome | "gone" | undefined;
  /** Bytes of each part on its way. */
  readonly #inFlight = new Map<number, number>();
  #acknowledgedBytes = 0;

  constructor(file: Blob, entry: JournalEntry, ports: UploadPorts, signal: AbortSignal) {
    this.#file = file;
    this.#entry = entry;
    this.#ports = ports;
    this.#signal = signal;
  }

  /** Sends what is missing. Rejects if the signal aborts it; the journal then goes on later. */
  async run(): Promise<UploadOutcome> {
    if (this.#entry.isStored) return { name: "stored" };
    const outcome = await (isOneRequest(this.#file.size) ? this.#sendWhole() : this.#sendParts());
    if (outcome.name === "stored") await this.#record({ isStored: true });
    return outcome;
  }

  async #sendWhole(): Promise<UploadOutcome> {
    const isMaybeOwn = this.#entry.isCompleting;
    await this.#recordCompleting();
    let wasUnanswered = false;
    const { verdict, answer } = await this.#send({
      method: "PUT",
      body: this.#file,
      isNew: !this.#entry.mayReplace,
      onProgress: (bytes) => this.#ports.onProgress(Math.min(bytes, this.#file.size)),
      onUnanswered: () => (wasUnanswered = true),
    });
    if (verdict === "exists") return { name: "exists", isMaybeOwn: isMaybeOwn || wasUnanswered };
    return outcomeOf(verdict, answer);
  }

  async #sendParts(): Promise<UploadOutcome> {
    for (let isFirst = true; ; isFirst = false) {
      const outcome = (await this.#begin()) ?? (await this.#fill()) ?? (await this.#complete());
      // Storage forgets parts once. A second time, something else is wrong.
      if (outcome !== "gone") return outcome;
      if (!isFirst) return { name: "failed", status: 404, detail: "no_upload" };
      this.#end = undefined;
      await this.#forget();
      this.#ports.onRestart();
    }
  }

  /** Begins an upload in parts, unless the journal has one. */
  async #begin(): Promise<UploadOutcome | undefined> {
    if (!this.#entry.uploadId) {
      const { verdict, answer } = await this.#send({ method: "POST", query: "uploads" });
      if (verdict !== "done") return outcomeOf(verdict, answer);
      const uploadId = member(answer, "uploadId");
      if (!uploadId) return outcomeOf("refused", answer);
      await this.#record({ uploadId, partBytes: planParts(this.#file.size).partBytes });
    }
    if (this.#entry.mayReplace) return undefined;
    const { size } = await this.#ports.journal.parts(this.#entry.uploadId ?? "");
    const isTaken = size === 0 && (await this.#isNameTaken());
    return isTaken ? { name: "exists", isMaybeOwn: false } : undefined;
  }

  /** Asks before the first byte if an object has this name: conditions are evaluated first. */
  async #isNameTaken(): Promise<boolean> {
    const query = this.#uploadQuery();
    const request = { method: "POST", query, body: NO_PARTS, isNew: true } as const;
    return judge(await this.#ports.edge.send(this.#request(request))) === "exists";
  }

  /** Sends the parts that the journal lacks. */
  async #fill(): Promise<UploadOutcome | "gone" | undefined> {
    const { size } = this.#file;
    const { uploadId = "", partBytes } = this.#entry;
    const acknowledged = await this.#ports.journal.parts(uploadId);
    const plan = { partBytes, count: Math.ceil(size / partBytes) };
    this.#acknowledgedBytes = bytesOf(size, partBytes, acknowledged.keys());
    this.#report();
    const queue = missingParts(plan, acknowledged);
    this.#end = undefined;
    const lane = async (): Promise<void> => {
      for (let next = queue.shift(); next && !this.#end; next = queue.shift()) {
        const outcome = await this.#sendPart(next);
        this.#end ??= outcome;
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return this.#end;
  }

  async #sendPart(number: number): Promise<UploadOutcome | "gone" | undefined> {
    const { uploadId = "", partBytes } = this.#entry;
    const [from, to] = partRange(this.#file.size, partBytes, number);
    const { verdict, answer } = await this.#send({
      method: "PUT",
      query: `${this.#uploadQuery()}&partNumber=${number}`,
      body: this.#file.slice(from, to),
      onProgress: (bytes) => {
        this.#inFlight.set(number, Math.min(bytes, to - from));
        this.#report();
      },
      onUnanswered: () => {
        this.#inFlight.delete(number);
        this.#report();
      },
    });
    this.#inFlight.delete(number);
    if (verdict === "gone") return "gone";
    const etag = member(answer, "etag");
    if (verdict !== "done") return outcomeOf(verdict, answer);
    if (!etag) return outcomeOf("refused", answer);
    await this.#ports.journal.acknowledge(uploadId, number, etag);
    this.#acknowledgedBytes += to - from;
    this.#report();
    return undefined;
  }

  async #complete(): Promise<UploadOutcome | "gone"> {
    const { uploadId = "", isCompleting: mayBeStored, begun } = this.#entry;
    await this.#recordCompleting();
    const parts = [...(await this.#ports.journal.parts(uploadId))]
      .map(([partNumber, etag]) => ({ partNumber, etag }))
      .sort((one, other) => one.partNumber - other.partNumber);
    let wasUnanswered = mayBeStored;
    let wasRefused = false;
    const { verdict, answer } = await this.#send({
      method: "POST",
      query: this.#uploadQuery(),
      body: JSON.stringify({ parts }),
      isNew: !this.#entry.mayReplace,
      onUnanswered: (status) => {
        wasUnanswered = true;
        wasRefused ||= status !== 0;
      },
    });
    // An upload that was completed is known no more, or its own object is in the way.
    const mayBeOwn = wasUnanswered && this.#ports.now() - begun < FORGOTTEN_MS;
    const isStored =
      mayBeOwn && (verdict === "gone" || (verdict === "exists" && (await this.#isCompleted())));
    if (isStored && !wasRefused) return { name: "stored" };
    if (isStored) {
      // The edge stores an object before it announces it. Another upload is announced.
      await this.#forget();
      await this.#record({ mayReplace: true });
      return { name: "unannounced" };
    }
    if (verdict === "gone") return "gone";
    if (verdict !== "exists") return outcomeOf(verdict, answer);
    return { name: "exists", isMaybeOwn: false };
  }

  /** Asks if storage knows the upload no more, without changing it. */
  async #isCompleted(): Promise<boolean> {
    const query = this.#uploadQuery();
    const { verdict } = await this.#send({ method: "POST", query, body: NO_PARTS });
    return verdict === "gone";
  }

  /** Forgets an upload in parts that storage has forgotten. */
  async #forget(): Promise<void> {
    await this.#ports.journal.remove(this.#entry);
    const { uploadId: _, ...entry } = this.#entry;
    this.#entry = { ...entry, isCompleting: false, begun: this.#ports.now() };
    await this.#ports.journal.put(this.#entry);
  }

  /** Sends a request until its answer is final. */
  async #send(
    request: Omit<EdgeRequest, "path" | "signal"> & { onUnanswered?: (status: number) => void },
  ): Promise<Settled> {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.#ports.edge.send(this.#request(request));
      const verdict = judge(answer);
      if (verdict !== "retry") {
        this.#ports.onWaiting(false);
        return { verdict, answer };
      }
      request.onUnanswered?.(answer.status);
      if (request.body instanceof Blob && !(await isReadable(request.body)))
        return { verdict: "file_changed", answer };
      // Another lane has met an end: its outcome counts.
      if (this.#end) return { verdict: "refused", answer };
      this.#ports.onWaiting(true);
      const delay = retryDelayMs(attempt, answer.retryAfter, Math.random());
      await this.#ports.wait(delay, this.#signal);
    }
  }

  #request(request: Omit<EdgeRequest, "path" | "signal">): EdgeRequest {
    return { ...request, path: this.#entry.path, signal: this.#signal };
  }

  #uploadQuery(): string {
    return `uploadId=${encodeURIComponent(this.#entry.uploadId ?? "")}`;
  }

  /** Notes that the next request stores the object, and which status is not that of this upload. */
  async #recordCompleting(): Promise<void> {
    if (this.#entry.isCompleting) return;
    const statusBefore = await this.#ports.readStatusTime?.();
    const old = statusBefore === undefined ? {} : { statusBefore };
    await this.#record({ isCompleting: true, ...old });
  }

  async #record(change: Partial<JournalEntry>): Promise<void> {
    this.#entry = { ...this.#entry, ...change };
    await this.#ports.journal.put(this.#entry);
  }

  #report(): void {
    const sent = [...this.#inFlight.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.#ports.onProgress(this.#acknowledgedBytes + sent);
  }
}

/** Gives up an upload: at the edge, as far as it answers, and in the journal. */
export async function abandon(
  entry: JournalEntry,
  { edge, journal }: Pick<UploadPorts, "edge" | "journal">,
  signal: AbortSignal,
): Promise<void> {
  if (entry.uploadId && !entry.isStored) {
    const query = `uploadId=${encodeURIComponent(entry.uploadId)}`;
    // R2 aborts an upload by itself after seven days.
    await edge.send({ method: "DELETE", path: entry.path, query, signal });
  }
  await journal.remove(entry);
}

function outcomeOf(verdict: Settled["verdict"], answer: EdgeAnswer): UploadOutcome {
  switch (verdict) {
    case "done":
      return { name: "stored" };
    case "link":
      return { name: "link", code: answer.code ?? "expired" };
    case "exists":
      return { name: "exists", isMaybeOwn: false };
    case "file_changed":
      return { name: "file_changed" };
    default:
      return {
        name: "failed",
        status: answer.status,
        detail: answer.detail ?? answer.code ?? "",
      };
  }
}

/** A member of an answer's JSON that is a text. */
function member({ body = "" }: UploadAnswer, name: string): string | undefined {
  try {
    const value = (JSON.parse(body) as Record<string, unknown>)[name];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns whether the file still has these bytes. A changed file fails every read. */
async function isReadable(blob: Blob): Promise<boolean> {
  try {
    await blob.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
