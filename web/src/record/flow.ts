// The way of a recording through the page: found, set up, recorded, finished.
import { EDGE, isAllowed } from "../origins.ts";
import { formatTime } from "../time.ts";
import type { CaptureTracks, Painter } from "./capture.ts";
import { type InputDevice, Inputs } from "./inputs.ts";
import { Recording } from "./recording.ts";
import { canKeepUp, Session } from "./session.ts";
import { SetupPanel } from "./setup-panel.ts";
import { lowerHeight, shapeOf, type VideoShape } from "./shape.ts";
import { copyLink, followPackaging, showWatch } from "./status-panel.ts";
import type { RecordingStore } from "./store.ts";
import { pathOf, readUploadLink, type UploadLink } from "./upload-link.ts";
import type { UploadTrouble } from "./trouble.ts";
import { Uploader } from "./uploader.ts";
import { download, element, type View } from "./view.ts";

const COUNTDOWN_SECONDS = 3;

export class RecorderFlow {
  readonly #view: View;
  readonly #store: RecordingStore;
  readonly #inputs = new Inputs();
  readonly #setup: SetupPanel;
  #link: UploadLink;
  #recording: Recording | undefined;
  #uploader: Uploader | undefined;
  #session: Session | undefined;
  /** The encoder of this recording was replaced. */
  #isRestarted = false;
  #status = new AbortController();
  /** The folder holds another recording, so that this one may move. */
  #isTaken = false;
  #uploading: Promise<void> = Promise.resolve();
  #startedAt = 0;
  #stoppedAt = 0;

  constructor(view: View, store: RecordingStore, link: UploadLink) {
    this.#view = view;
    this.#store = store;
    this.#link = link;
    this.#setup = new SetupPanel(view, this.#inputs);
    this.#inputs.onEnded = (device) => void this.#deviceEnded(device);
    element("setup").onsubmit = (event) => this.#run(event, () => this.#record());
    element("pause").onclick = () => this.#togglePause();
    element("stop").onclick = () => this.#run(undefined, () => this.#stop());
    element("restart").onclick = () => this.#run(undefined, () => this.#restart());
    element("again-device").onclick = () => this.#run(undefined, () => this.#continueCapture());
    element("finish").onclick = () => this.#run(undefined, () => this.#finishFound());
    element("go-on").onclick = () => this.#run(undefined, () => this.#continueFound());
    element("discard").onclick = () => this.#run(undefined, () => this.#discard());
    for (const id of ["save-found", "save-finishing"]) {
      element(id).onclick = () => this.#run(undefined, () => this.#save());
    }
    element("relink").onsubmit = (event) => this.#run(event, () => this.#relink(this.#pasted()));
    addEventListener("hashchange", () => void this.#relink(location.hash.slice(1)));
    addEventListener("beforeunload", (event) => {
      if (this.#session || (this.#uploader && !this.#recording?.row.isAnnounced)) {
        event.preventDefault();
      }
    });
  }

  async start(): Promise<void> {
    const found = await Recording.find(this.#store, this.#link.folder);
    const isOver = found?.row.isAnnounced || found?.segments.length === 0;
    if (!found || isOver) return this.#showSetup();
    this.#take(found);
    this.#view.write("found-text", "found_text", { time: formatTime(found.seconds) });
    element("go-on").hidden = found.row.isStopped;
    this.#view.show("found");
  }

  /** Runs what a button asks for, once. */
  #run(event: Event | undefined, task: () => Promise<void>): void {
    event?.preventDefault();
    // A question inside the task needs its own buttons.
    const all = document.querySelectorAll<HTMLButtonElement>("button:not(dialog button)");
    const buttons = [...all].filter(({ disabled }) => !disabled);
    for (const button of buttons) button.disabled = true;
    void task()
      .catch((error: unknown) => {
        this.#view.notice("encoder", "encoder_failed");
        throw error;
      })
      .finally(() => {
        for (const button of buttons) button.disabled = false;
      });
  }

  async #showSetup(): Promise<void> {
    this.#view.hide("found", "live", "finishing", "done", "watch");
    this.#view.show("studio", "setup");
    await this.#setup.start();
  }

  #take(recording: Recording): void {
    this.#recording = recording;
    const full = () => this.#view.notice("disk", "disk_full");
    recording.onDisk = (isFull) => (isFull ? full() : this.#view.notice("disk"));
    recording.onChange = () => {
      this.#uploader?.wake();
      this.#showProgress();
    };
  }

  // What is recorded.

  async #record(): Promise<void> {
    const { source } = this.#setup.choice;
    const tracks = await this.#openTracks();
    if (!tracks) return;
    const earlier = this.#recording;
    const limit = Number(element<HTMLSelectElement>("quality").value);
    const shape = earlier?.row.shape ?? (await this.#countDown(tracks, limit));
    const recording = earlier ?? (await this.#create(shape, tracks.audio !== undefined));
    const track = this.#inputs.mainTrack(source);
    if (!track) return this.#setup.showPreview();
    this.#view.hide("setup");
    this.#view.show("live");
    this.#upload();
    await this.#capture(recording, { ...tracks, video: track });
  }

  /** Opens what is to be recorded. The screen's question needs the click. */
  async #openTracks(): Promise<CaptureTracks | undefined> {
    const { source, hasSystemAudio } = this.#setup.choice;
    try {
      if (source !== "camera") await this.#inputs.openScreen(hasSystemAudio);
      this.#view.notice("screen");
    } catch (error) {
      this.#setup.report(error);
      return undefined;
    }
    const isOpen = source === "screen" ? this.#inputs.hasMicrophone : this.#inputs.camera;
    if (!isOpen && !(await this.#setup.open())) return undefined;
    await this.#inputs.resumeAudio();
    this.#setup.showPreview();
    const video = this.#inputs.mainTrack(source);
    const hasAudio = this.#recording?.row.hasAudio ?? this.#inputs.hasAudio;
    return video && { video, audio: hasAudio ? this.#inputs.audioTrack() : undefined };
  }

  /** Counts down, and finds the size that this computer can encode meanwhile. */
  async #countDown(tracks: CaptureTracks, limit: number): Promise<VideoShape> {
    const elapsed = this.#showCountdown();
    const { width = 1280, height = 720 } = tracks.video.getSettings();
    const shape = shapeOf(width, height, limit);
    const isFast = await canKeepUp(tracks, shape, this.#painter(shape), elapsed);
    const lower = lowerHeight(Math.min(limit, shape.height, shape.width));
    if (isFast || lower === undefined) return shape;
    this.#view.notice("slow", "smaller", { height: limit, lower });
    return shapeOf(width, height, lower);
  }

  async #showCountdown(): Promise<void> {
    this.#view.show("countdown");
    for (let seconds = COUNTDOWN_SECONDS; seconds > 0; seconds--) {
      this.#view.write("countdown", "countdown", { seconds });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    this.#view.hide("countdown");
  }

  async #create(
    shape: VideoShape,
    hasAudio: boolean,
    replaced: string[] = [],
  ): Promise<Recording> {
    const { folder } = this.#link;
    const facts = { folder, shape, hasAudio, replaced };
    const recording = await Recording.create(this.#store, facts);
    this.#take(recording);
    return recording;
  }

  async #capture(recording: Recording, tracks: CaptureTracks): Promise<void> {
    const session = new Session(recording, tracks, this.#painter(recording.row.shape), {
      onTick: () => this.#showTime(),
      onSlower: (rate) => this.#view.notice("slow", "slower", { rate }),
      onGap: (seconds) => this.#view.notice("gap", "slept", { seconds: Math.round(seconds) }),
      onFull: () => {
        this.#view.notice("disk", "memory_full");
        this.#showState();
      },
      onFailure: (failure) => void this.#captureFailed(failure),
      onStuck: () => void this.#captureStuck(session),
    });
    this.#session = session;
    this.#startedAt = performance.now();
    await session.start();
    this.#showState();
  }

  #painter(shape: VideoShape): Painter {
    const { source } = this.#setup.choice;
    return (frame) => (source === "both" ? this.#inputs.bubble.paint(frame, shape) : undefined);
  }

  #togglePause(): void {
    const session = this.#session;
    if (session?.isPaused) session.resume();
    else session?.pause();
    this.#showState();
  }

  /** Goes on after a device came back: the same recording, and a new capture. */
  async #continueCapture(): Promise<void> {
    const { source } = this.#setup.choice;
    const recording = this.#recording;
    if (!recording) return;
    const tracks = await this.#openTracks();
    if (!tracks || !this.#inputs.mainTrack(source)) return;
    await this.#endCapture();
    for (const kind of ["screen", "camera", "encoder"]) this.#view.notice(kind);
    await this.#capture(recording, tracks);
  }

  async #endCapture(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.stop().catch(() => this.#view.notice("encoder", "encoder_failed"));
  }

  async #deviceEnded(device: InputDevice): Promise<void> {
    const { source } = this.#setup.choice;
    const isMain = device === (source === "camera" ? "camera" : "screen");
    if (!this.#session) {
      if (device === "screen") this.#inputs.closeScreen();
      return this.#setup.showPreview();
    }
    if (isMain) {
      this.#session.pause();
      this.#view.notice(device, device === "camera" ? "camera_ended" : "screen_ended");
    } else if (device === "camera") {
      this.#inputs.closeCamera();
      this.#view.notice("camera", "bubble_ended");
    } else {
      await this.#inputs.openMicrophone("").then(
        () => this.#view.notice("microphone", "microphone_changed"),
        () => this.#view.notice("microphone", "microphone_ended"),
      );
    }
    this.#setup.showPreview();
    this.#showState();
  }

  /** Records on with another encoder. If that one gives nothing either, the creator decides. */
  async #captureStuck(session: Session): Promise<void> {
    const recording = this.#recording;
    const video = this.#inputs.mainTrack(this.#setup.choice.source);
    if (session !== this.#session || !recording) return;
    if (!video || (this.#isRestarted && session.segments === 0)) {
      return this.#captureFailed("encoder");
    }
    this.#isRestarted = true;
    this.#session = undefined;
    // It may be stuck, too.
    void session.cancel().catch(() => {});
    this.#view.notice("encoder", "encoder_restarted");
    const audio = recording.row.hasAudio ? this.#inputs.audioTrack() : undefined;
    await this.#capture(recording, { video, audio }).catch(() => this.#captureFailed("encoder"));
  }

  async #captureFailed(failure: "encoder" | "other_encoder"): Promise<void> {
    await this.#session?.cancel().catch(() => {});
    this.#session = undefined;
    const isOther = failure === "other_encoder";
    this.#view.notice("encoder", isOther ? "other_encoder" : "encoder_failed");
    this.#showState();
  }

  // Where it is stored.

  #upload(): void {
    const recording = this.#recording;
    if (!recording || this.#uploader) return;
    const uploader = new Uploader(recording, this.#link.token);
    this.#uploader = uploader;
    uploader.onTrouble = (trouble) => this.#showTrouble(trouble);
    this.#uploading = uploader.run().then(() => {
      if (uploader === this.#uploader && recording.row.isAnnounced) this.#showDone();
    });
    this.#showProgress();
  }

  #showTrouble(trouble: UploadTrouble | undefined): void {
    const save = { text: "save" as const, run: () => void this.#save() };
    this.#view.hide("relink");
    this.#isTaken = trouble?.kind === "exists";
    this.#showProgress();
    if (!trouble) return this.#view.notice("upload");
    if (trouble.kind === "offline") this.#view.notice("upload", "offline");
    else if (trouble.kind === "new_link") {
      this.#view.notice("upload", trouble.isExpired ? "link_expired" : "link_refused", {}, [save]);
      this.#view.show("relink");
    } else if (trouble.kind === "exists") {
      this.#view.notice("upload", "exists", {}, [save]);
      this.#view.show("relink");
    } else if (trouble.kind === "unreadable") {
      this.#view.notice("upload", "unreadable", {}, [save]);
    } else {
      const { status, detail } = trouble;
      this.#view.notice("upload", "refused", { status, detail }, [save]);
    }
  }

  /** Stores the recording in the folder of another link, and nothing more in its first one. */
  async #move(recording: Recording, link: UploadLink): Promise<void> {
    await this.#endUpload();
    await new Uploader(recording, this.#link.token).discard();
    await recording.moveTo(link.folder);
    this.#link = link;
    element("relink-text").textContent = "";
    this.#showTrouble(undefined);
    this.#upload();
  }

  #pasted(): string {
    const pasted = element<HTMLInputElement>("new-link").value.trim();
    // The page's own address has the link in its fragment.
    return pasted.includes("#") ? pasted.slice(pasted.indexOf("#") + 1) : pasted;
  }

  async #relink(fragment: string): Promise<void> {
    const link = readUploadLink(fragment, EDGE, isAllowed, Date.now() / 1000);
    if (typeof link === "string" || link.isExpired) {
      return this.#view.write("relink-text", "bad_link");
    }
    const recording = this.#recording;
    const folder = recording?.row.target ?? this.#link.folder;
    const isSame = link.folder === folder;
    if (recording && this.#isTaken) {
      if (isSame) return this.#view.write("relink-text", "exists");
      return this.#move(recording, link);
    }
    if (!isSame) {
      if (!recording) return location.reload();
      return this.#view.write("relink-text", "other_folder", { path: pathOf(folder) });
    }
    this.#link = { ...link, watch: link.watch ?? this.#link.watch };
    element("relink-text").textContent = "";
    this.#uploader?.goOn(link.token);
  }

  // How it ends.

  async #stop(): Promise<void> {
    this.#stoppedAt = performance.now();
    void copyLink(this.#view, this.#link.watch);
    await this.#endCapture();
    this.#inputs.close();
    await this.#finish();
  }

  async #finish(): Promise<void> {
    const recording = this.#recording;
    if (!recording || recording.segments.length === 0) return this.#abandon();
    for (const kind of ["screen", "camera", "microphone", "slow", "gap"]) this.#view.notice(kind);
    this.#view.hide("setup", "live", "stage", "found");
    this.#view.show("studio", "finishing");
    this.#upload();
    const saved = recording.update({ isStopped: true });
    // The end of the playlist does not wait for the disk.
    this.#uploader?.wake();
    await saved;
  }

  async #finishFound(): Promise<void> {
    await this.#finish();
  }

  async #continueFound(): Promise<void> {
    this.#view.hide("found");
    this.#view.write("start", "continue");
    element("quality").closest("label")!.hidden = true;
    await this.#showSetup();
  }

  async #restart(): Promise<void> {
    if (!(await this.#view.ask("restart_question", "yes_restart"))) return;
    await this.#session?.cancel().catch(() => {});
    this.#session = undefined;
    const { masterTags } = this.#recording?.row ?? {};
    await this.#forget();
    const source = this.#setup.choice.source;
    const video = this.#inputs.mainTrack(source);
    if (!video) return this.#showSetup();
    const audio = this.#inputs.hasAudio ? this.#inputs.audioTrack() : undefined;
    const limit = Number(element<HTMLSelectElement>("quality").value);
    const shape = await this.#countDown({ video, audio }, limit);
    const recording = await this.#create(shape, audio !== undefined, masterTags);
    this.#upload();
    await this.#capture(recording, { video, audio });
  }

  async #discard(): Promise<void> {
    if (!(await this.#view.ask("discard_question", "yes_discard"))) return;
    await this.#abandon();
  }

  /** Removes the recording, and begins anew. */
  async #abandon(): Promise<void> {
    await this.#forget();
    await this.#showSetup();
  }

  async #forget(): Promise<void> {
    const recording = this.#recording;
    await this.#endUpload();
    if (!recording) return;
    await new Uploader(recording, this.#link.token).discard();
    await recording.remove();
    this.#recording = undefined;
  }

  async #endUpload(): Promise<void> {
    this.#uploader?.close();
    this.#uploader = undefined;
    await this.#uploading;
  }

  async #save(): Promise<void> {
    const file = await this.#recording?.file().catch(() => undefined);
    if (!file) return this.#view.notice("save", "save_failed");
    const name = this.#link.path.split("/").filter(Boolean).at(-1) ?? "recording";
    download(file, `${name}.mp4`);
  }

  #showDone(): void {
    const recording = this.#recording;
    if (!recording) return;
    this.#view.hide("finishing", "relink");
    this.#view.write("done-length", "done_length", { time: formatTime(recording.seconds) });
    this.#view.show("done");
    showWatch(this.#view, this.#link.watch, this.#link.path);
    void recording.remove();
    const { target } = recording.row;
    void followPackaging(this.#view, target, () => this.#link.token, this.#status.signal);
  }

  // What is shown meanwhile.

  #showState(): void {
    const session = this.#session;
    const isPaused = !session || session.isPaused;
    const { source } = this.#setup.choice;
    const hasTrack = this.#inputs.mainTrack(source) !== undefined;
    this.#view.write("state", isPaused ? "paused" : "recording");
    this.#view.write("pause", isPaused ? "resume" : "pause");
    element("live").classList.toggle("paused", isPaused);
    element("pause").hidden = !session || !hasTrack;
    element("again-device").hidden = session !== undefined && hasTrack;
    this.#view.write("again-device", source === "camera" ? "camera_again" : "share_again");
    this.#showTime();
  }

  #showTime(): void {
    const seconds = this.#session?.seconds ?? this.#recording?.seconds ?? 0;
    const time = formatTime(seconds);
    if (element("time").textContent !== time) element("time").textContent = time;
    document.documentElement.dataset.recordedSeconds = seconds.toFixed(2);
  }

  #showProgress(): void {
    const recording = this.#recording;
    if (!recording) return;
    const { segments, row } = recording;
    const stored = segments.filter(({ isStored }) => isStored).length;
    const waiting = segments.length - stored;
    const key = waiting > 1 ? "stored_part" : "stored_all";
    this.#view.write("stored", key, { waiting });
    element("stored").hidden = this.#isTaken;
    const isWatchable = row.isMasterStored && row.listed > 0;
    this.#view.write("watchable", isWatchable ? "live" : "not_live");
    const progress = element<HTMLProgressElement>("finishing-progress");
    document.documentElement.dataset.keptSeconds = recording.seconds.toFixed(2);
    const last = [row.isEndListed, row.isIFramesStored, row.isMasterFinal, row.isAnnounced];
    progress.max = segments.length + last.length;
    progress.value = stored + last.filter(Boolean).length;
    this.#view.write("finishing-text", key, { waiting });
    if (isWatchable && this.#session) {
      showWatch(this.#view, this.#link.watch, this.#link.path);
    }
    this.#noteTimes();
  }

  /** Leaves the times of acknowledgements on the page, for measurements. */
  #noteTimes(): void {
    const { master, end } = this.#uploader?.acknowledged ?? {};
    const { dataset } = document.documentElement;
    if (master !== undefined) dataset.masterMs = String(Math.round(master - this.#startedAt));
    if (end !== undefined) dataset.endMs = String(Math.round(end - this.#stoppedAt));
  }
}
