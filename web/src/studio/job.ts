// An upload of the page: from the choice of the file to the packaged lecture. Cards show it.
import type { EdgeClient } from "./edge.ts";
import { type FileIdentity, identify, isSameFile } from "./file-check.ts";
import { encodePath, type UploadHints } from "./fragment.ts";
import type { Inspection } from "./inspect.ts";
import type { JournalEntry, UploadJournal } from "./journal.ts";
import { numberedName } from "./object-name.ts";
import { bytesOf, planParts } from "./parts.ts";
import { RateMeter } from "./rate.ts";
import { type TurnQueue, untilUnlocked, waitFor, withLock } from "./slots.ts";
import { isFinal, isNewer, parseStatus, pollDelayMs } from "./status.ts";
import { abandon, Upload, type UploadOutcome } from "./upload.ts";
import type { JobFacts, JobState } from "./view.ts";
import { type FileWarning, type MediaFacts, mediaWarnings, sizeWarnings } from "./warnings.ts";

/** A file handle with the permissions of Chromium. */
export type OpenableHandle = FileSystemFileHandle & {
  queryPermission?(options: { mode: "read" }): Promise<PermissionState>;
  requestPermission?(options: { mode: "read" }): Promise<PermissionState>;
};

/** The page around its uploads. */
export interface JobPage {
  client: EdgeClient;
  journal: UploadJournal;
  turns: TurnQueue;
  /** The folder's URL path. */
  folder: string;
  hints(): UploadHints;
  /** Returns whether another upload of the page has this path. */
  hasPath(path: string, job: UploadJob): boolean;
  onChange(job: UploadJob): void;
  /** Tells a screen reader and the eye what happened to an upload. */
  onNotice(job: UploadJob, notice: "restarted"): void;
  remove(job: UploadJob): void;
}

export class UploadJob {
  state: JobState = { name: "reading" };
  /** The object's name. */
  name: string;
  file: File | undefined;
  media: MediaFacts | undefined;
  warnings: FileWarning[] = [];
  frame: HTMLCanvasElement | OffscreenCanvas | undefined;
  /** The person is asked if what went up may be discarded. */
  isAsking = false;
  readonly #page: JobPage;
  readonly #meter = new RateMeter();
  #handle: OpenableHandle | undefined;
  #entry: JournalEntry | undefined;
  #identity: FileIdentity | undefined;
  #sent = 0;
  #mayReplace = false;
  #isWaiting = false;
  #run = new AbortController();
  /** Ends with the card. */
  readonly #life = new AbortController();

  constructor(page: JobPage, name: string, file?: File, handle?: OpenableHandle) {
    this.#page = page;
    this.name = name;
    this.file = file;
    this.#handle = handle;
  }

  /** An upload that the journal has. */
  static async resume(page: JobPage, entry: JournalEntry): Promise<UploadJob> {
    const name = decodeURIComponent(entry.path.slice(page.folder.length));
    const job = new UploadJob(page, name, undefined, entry.handle);
    job.#entry = entry;
    const { uploadId, isStored, file, partBytes } = entry;
    const parts = uploadId ? await page.journal.parts(uploadId) : new Map<number, string>();
    job.#sent = isStored ? file.size : bytesOf(file.size, partBytes, parts.keys());
    if (isStored) job.#follow();
    else job.state = job.#needsFile();
    return job;
  }

  get path(): string {
    return this.#page.folder + encodePath(this.name);
  }

  get size(): number {
    return this.file?.size ?? this.#entry?.file.size ?? 0;
  }

  get facts(): JobFacts {
    const file = this.file?.name ?? this.#entry?.file.name ?? this.name;
    const left = this.size - this.#sent;
    const bytesPerSecond = this.#meter.bytesPerSecond();
    const secondsLeft = this.#meter.secondsFor(left);
    const { name, size } = this;
    return { name, file, size, sent: this.#sent, bytesPerSecond, secondsLeft };
  }

  /** Seconds of the recording, of which the journal remembers those of another visit. */
  get seconds(): number | undefined {
    return this.media?.seconds ?? this.#entry?.seconds;
  }

  /** Looks into the file, then begins, or waits for a decision on its warnings. */
  async begin(): Promise<void> {
    const { file } = this;
    if (!file) return;
    this.warnings = sizeWarnings(file, this.#page.hints(), Date.now() / 1000);
    if (file.size > 0) await this.#inspect(file);
    if (this.#life.signal.aborted) return;
    if (this.warnings.some(({ isBlocking }) => isBlocking)) this.#show({ name: "blocked" });
    else if (this.warnings.length > 0) this.#show({ name: "confirm" });
    else this.start();
  }

  /** Reads the media. A fault of the reader is no fault of the file, and stops no upload. */
  async #inspect(file: File): Promise<void> {
    let inspection: Inspection;
    try {
      const { inspect } = await import("./inspect.ts");
      inspection = await inspect(file);
    } catch {
      return;
    }
    this.media = inspection.facts;
    if (!this.#entry) this.warnings = [...this.warnings, ...mediaWarnings(inspection.facts)];
    // Decoding may take longer than the upload of a short file.
    void inspection.drawFrame().then((frame) => {
      this.frame = frame;
      inspection.dispose();
      this.#changed();
    });
  }

  start(): void {
    void this.#start();
  }

  async #start(): Promise<void> {
    this.#run = new AbortController();
    const { signal } = this.#run;
    this.#show({ name: "queued" });
    try {
      await this.#page.turns.take(signal, async () => {
        const isOurs = await withLock(this.path, () => this.#send(signal));
        if (!isOurs) void this.#watchOtherTab();
      });
    } catch (error) {
      if (signal.aborted) return;
      const detail = error instanceof Error ? error.message : String(error);
      this.#show({ name: "failed", status: 0, detail });
    }
  }

  /** Sends the file. The caller holds the lock of the object. */
  async #send(signal: AbortSignal): Promise<void> {
    const { file } = this;
    if (!file) return this.#show(this.#needsFile());
    const { journal, client } = this.#page;
    this.#identity ??= await identify(file);
    let entry = await journal.get(this.path);
    if (entry && !isSameFile(entry.file, this.#identity)) {
      // Another tab took the name for another file.
      if (!this.#mayReplace) return this.#show({ name: "exists", isMaybeOwn: false });
      await abandon(entry, this.#ports(), signal);
      entry = undefined;
    }
    entry ??= this.#newEntry(this.#identity);
    entry = { ...entry, mayReplace: entry.mayReplace || this.#mayReplace };
    if (this.#handle) entry.handle = this.#handle;
    if (this.media?.seconds !== undefined) entry.seconds = this.media.seconds;
    this.#entry = entry;
    await journal.put(entry);
    this.#meter.reset();
    this.#isWaiting = false;
    this.#showSending();
    const ports = {
      edge: client,
      journal,
      wait: waitFor,
      now: () => Date.now(),
      onProgress: (bytes: number) => {
        this.#sent = bytes;
        this.#meter.add(Date.now(), bytes);
        this.#changed();
      },
      onWaiting: (isWaiting: boolean) => {
        if (isWaiting !== this.#isWaiting) this.#meter.reset();
        this.#isWaiting = isWaiting;
        this.#showSending();
      },
      onRestart: () => this.#page.onNotice(this, "restarted"),
      readStatusTime: async () => {
        const text = await client.readStatus(this.path, signal);
        return text === undefined ? undefined : parseStatus(text)?.updated;
      },
    };
    const outcome = await new Upload(file, entry, ports, signal).run();
    this.#entry = (await journal.get(this.path)) ?? entry;
    this.#end(outcome);
  }

  #end(outcome: UploadOutcome): void {
    if (outcome.name !== "stored") return this.#show(outcome);
    this.#sent = this.size;
    this.#follow();
  }

  #newEntry(file: FileIdentity): JournalEntry {
    const { partBytes } = planParts(file.size);
    const flags = { mayReplace: this.#mayReplace, isCompleting: false, isStored: false };
    return { path: this.path, file, partBytes, ...flags, begun: Date.now() };
  }

  /** Shows what another tab does with this upload, when it has finished. */
  async #watchOtherTab(): Promise<void> {
    const { journal } = this.#page;
    let entry = await journal.get(this.path);
    if (!(await this.#isOfOtherFile(entry))) {
      this.#show({ name: "other_tab" });
      try {
        await untilUnlocked(this.path, this.#life.signal);
      } catch {
        return;
      }
      entry = await journal.get(this.path);
    }
    if (await this.#isOfOtherFile(entry)) return this.#show({ name: "exists", isMaybeOwn: false });
    // The other tab gave it up. A file that was chosen here is still to go up.
    if (!entry) return this.#entry ? this.remove() : this.start();
    this.#entry = entry;
    const parts = await this.#page.journal.parts(entry.uploadId ?? "");
    this.#sent = bytesOf(entry.file.size, entry.partBytes, parts.keys());
    if (entry.isStored) this.#end({ name: "stored" });
    else this.#show(this.file ? { name: "paused" } : this.#needsFile());
  }

  /** Shows if the browser has a connection. */
  showConnection(): void {
    if (this.state.name === "sending") this.#showSending();
  }

  pause(): void {
    this.#run.abort();
    this.#show({ name: "paused" });
  }

  /** Goes on after a pause, a new link or a failure. */
  resume(): void {
    if (this.file) this.start();
    else this.#show(this.#needsFile());
  }

  replace(): void {
    this.#mayReplace = true;
    this.start();
  }

  /** Uploads under another name. */
  async rename(): Promise<void> {
    const base = this.name.replace(/-\d+(?=\.[a-z0-9]+$)/i, "");
    const isOwn = this.#entry?.path === this.path && this.#isEntryOfFile();
    if (this.#entry && isOwn) await abandon(this.#entry, this.#ports(), this.#life.signal);
    this.#entry = undefined;
    for (let number = 2; ; number += 1) {
      this.name = numberedName(base, number);
      if (this.#page.hasPath(this.path, this)) continue;
      if (!(await this.#page.journal.get(this.path))) break;
    }
    this.start();
  }

  /** Returns whether the name's upload in another tab is of another file than this one. */
  async #isOfOtherFile(entry: JournalEntry | undefined): Promise<boolean> {
    if (!entry || !this.file) return false;
    this.#identity ??= await identify(this.file);
    return !isSameFile(entry.file, this.#identity);
  }

  #isEntryOfFile(): boolean {
    return !!this.#identity && !!this.#entry && isSameFile(this.#entry.file, this.#identity);
  }

  /** Takes the file of an upload that goes on. Returns if it is the same. */
  async offer(file: File, handle?: OpenableHandle): Promise<boolean> {
    const expected = this.#entry?.file;
    if (!expected) return false;
    const isAlike = file.size === expected.size && file.name === expected.name;
    const identity = isAlike ? await identify(file).catch(() => undefined) : undefined;
    if (!identity || !isSameFile(identity, expected)) {
      this.#show({ name: "needs_file", canReopen: false, isWrong: true });
      return false;
    }
    this.file = file;
    this.#identity = identity;
    if (handle) this.#handle = handle;
    void this.#inspect(file);
    this.start();
    return true;
  }

  /** Returns whether this upload has this file already. */
  has({ name, size, lastModified }: File): boolean {
    const { file } = this;
    return file?.name === name && file.size === size && file.lastModified === lastModified;
  }

  /** Returns whether this upload waits for a file like this one. */
  awaits(file: File): boolean {
    const needs = this.state.name === "needs_file" || this.state.name === "file_changed";
    const expected = this.#entry?.file;
    return needs && expected?.name === file.name && expected.size === file.size;
  }

  /** Opens the file again, with the person's permission. */
  async reopen(mayAsk: boolean): Promise<void> {
    const handle = this.#handle;
    if (!handle) return;
    try {
      const mode = { mode: "read" } as const;
      let permission = (await handle.queryPermission?.(mode)) ?? "granted";
      if (permission === "prompt" && mayAsk)
        permission = (await handle.requestPermission?.(mode)) ?? "granted";
      if (permission === "granted") await this.offer(await handle.getFile(), handle);
    } catch {
      // The file was moved or deleted: the person may choose it where it is now.
      this.#handle = undefined;
      this.#show(this.#needsFile());
    }
  }

  ask(isAsking: boolean): void {
    this.isAsking = isAsking;
    this.#changed();
  }

  /** Gives the upload up, at the edge too. */
  async cancel(): Promise<void> {
    this.isAsking = false;
    this.#run.abort();
    this.#show({ name: "cancelling" });
    const entry = await this.#page.journal.get(this.path);
    const isOwn = entry && this.#entry && isSameFile(entry.file, this.#entry.file);
    if (isOwn) await abandon(entry, this.#ports(), this.#life.signal).catch(() => {});
    this.remove();
  }

  /** Forgets an upload that is over. The object stays. */
  async dismiss(): Promise<void> {
    if (this.#entry) await this.#page.journal.remove(this.#entry);
    this.remove();
  }

  remove(): void {
    this.#run.abort();
    this.#life.abort();
    this.#page.remove(this);
  }

  /** Follows the packaging until it ends. */
  #follow(): void {
    this.#show({ name: "stored" });
    void this.#poll().catch(() => {});
  }

  async #poll(): Promise<void> {
    const { signal } = this.#life;
    let [last, unchanged] = ["", 0];
    for (;;) {
      const text = await this.#page.client.readStatus(this.path, signal);
      const found = text === undefined ? undefined : parseStatus(text);
      const packaging = found && isNewer(found, this.#entry?.statusBefore) ? found : undefined;
      unchanged = text !== undefined && text !== last ? 0 : unchanged + 1;
      last = text ?? last;
      if (packaging) this.#show({ name: "stored", packaging });
      if (packaging && isFinal(packaging)) return;
      await waitFor(pollDelayMs(unchanged), signal);
    }
  }

  #needsFile(): JobState {
    return { name: "needs_file", canReopen: this.#handle !== undefined, isWrong: false };
  }

  #ports(): { edge: EdgeClient; journal: UploadJournal } {
    return { edge: this.#page.client, journal: this.#page.journal };
  }

  #showSending(): void {
    const isOffline = this.#isWaiting && !navigator.onLine;
    this.#show({ name: "sending", isWaiting: this.#isWaiting, isOffline });
  }

  #show(state: JobState): void {
    this.state = state;
    this.#changed();
  }

  #changed(): void {
    this.#page.onChange(this);
  }
}
