// The choice of screen, camera and microphone, with preview and level.
import {
  devicesOf,
  type InputChoice,
  InputError,
  type Inputs,
  type RecordingSource,
} from "./inputs.ts";
import { BUBBLE_SIZE, insideVideo } from "./shape.ts";
import { element, type RecordTextKey, type View } from "./view.ts";

const NONE = "none";
/** A step of the bubble with an arrow key, as a share of the picture. */
const STEP = 0.02;

export class SetupPanel {
  readonly #view: View;
  readonly #inputs: Inputs;
  readonly #camera = element<HTMLSelectElement>("camera");
  readonly #microphone = element<HTMLSelectElement>("microphone");
  readonly #stage = element("stage");
  readonly #preview = element<HTMLVideoElement>("preview");
  readonly #bubble = element<HTMLButtonElement>("bubble");
  /** How many calls open devices, one after the other. */
  #opening = 0;
  #opened: Promise<unknown> = Promise.resolve();

  constructor(view: View, inputs: Inputs) {
    this.#view = view;
    this.#inputs = inputs;
    const canShare = "getDisplayMedia" in navigator.mediaDevices;
    for (const radio of this.#radios()) {
      if (!canShare && radio.value !== "camera") radio.disabled = true;
      if (!canShare) radio.checked = radio.value === "camera";
      radio.onchange = () => void this.#sourceChanged();
    }
    if (!canShare) view.notice("no_screen", "no_screen");
    this.#camera.onchange = () => void this.open();
    this.#microphone.onchange = () => void this.open();
    element("allow").onclick = () => void this.open();
    navigator.mediaDevices.addEventListener("devicechange", () => void this.#listDevices());
    this.#preview.onresize = () => this.#fitStage();
    this.#moveBubble();
    requestAnimationFrame(this.#showLevel);
  }

  /** Lists devices, and opens those that the browser allows without a question. */
  async start(): Promise<void> {
    await this.#listDevices();
    this.#showSource();
    const states = await Promise.all(["microphone", "camera"].map(permission));
    const needsCamera = this.choice.source !== "screen";
    if (states[0] === "granted" && (!needsCamera || states[1] === "granted")) await this.open();
  }

  get choice(): InputChoice {
    const source = this.#radios().find(({ checked }) => checked)?.value ?? "camera";
    const microphone = this.#microphone.value;
    return {
      source: source as RecordingSource,
      camera: source === "screen" ? undefined : this.#camera.value,
      microphone: microphone === NONE ? undefined : microphone,
      hasSystemAudio: source !== "camera" && element<HTMLInputElement>("system").checked,
    };
  }

  /** Opens camera and microphone of the choice. Returns whether they are open. */
  open(): Promise<boolean> {
    this.#opening += 1;
    const opened = this.#opened
      .then(() => this.#openChoice())
      .finally(() => (this.#opening -= 1));
    this.#opened = opened.catch(() => {});
    return opened;
  }

  async #openChoice(): Promise<boolean> {
    const { camera, microphone } = this.choice;
    try {
      if (camera === undefined) this.#inputs.closeCamera();
      else await this.#inputs.openCamera(camera);
      if (microphone === undefined) this.#inputs.closeMicrophone();
      else await this.#inputs.openMicrophone(microphone);
      for (const device of ["camera", "microphone"]) this.#view.notice(device);
      return true;
    } catch (error) {
      this.report(error);
      return false;
    } finally {
      await this.#listDevices();
      this.#showSource();
    }
  }

  /** Says why a device does not open. */
  report(error: unknown): void {
    if (!(error instanceof InputError)) throw error;
    this.#view.notice(error.device, `${error.device}_${error.reason}` as RecordTextKey);
  }

  /** Shows what is recorded. */
  showPreview(): void {
    const { source } = this.choice;
    const stream = source === "camera" ? this.#inputs.camera : this.#inputs.screen;
    if (this.#preview.srcObject !== (stream ?? null)) this.#preview.srcObject = stream ?? null;
    element("no-preview").hidden = stream !== undefined;
    this.#stage.classList.toggle("mirrored", source === "camera");
    const bubble = source === "both" ? this.#inputs.camera : undefined;
    const picture = this.#bubble.querySelector("video")!;
    if (picture.srcObject !== (bubble ?? null)) picture.srcObject = bubble ?? null;
    this.#bubble.hidden = bubble === undefined;
    this.#placeBubble();
  }

  #radios(): HTMLInputElement[] {
    return [...document.querySelectorAll<HTMLInputElement>("input[name=source]")];
  }

  async #sourceChanged(): Promise<void> {
    const { camera, hasMicrophone } = this.#inputs;
    const hasDevices = hasMicrophone || camera !== undefined || this.#opening > 0;
    this.#showSource();
    if (hasDevices) await this.open();
  }

  #showSource(): void {
    const { source, camera, microphone } = this.choice;
    element("camera-field").hidden = source === "screen";
    element("system-field").hidden = source === "camera";
    const lacksCamera = camera !== undefined && !this.#inputs.camera;
    const lacksMicrophone = microphone !== undefined && !this.#inputs.hasMicrophone;
    element("allow").hidden = !lacksCamera && !lacksMicrophone;
    this.#view.write("allow", source === "screen" ? "allow_microphone" : "allow");
    element("level").hidden = !this.#inputs.hasMicrophone;
    this.showPreview();
  }

  async #listDevices(): Promise<void> {
    const none = { deviceId: NONE, label: this.#view.text("no_microphone") };
    this.#fill(this.#camera, await devicesOf("videoinput"), []);
    this.#fill(this.#microphone, await devicesOf("audioinput"), [none]);
  }

  #fill(
    select: HTMLSelectElement,
    devices: readonly MediaDeviceInfo[],
    others: readonly { deviceId: string; label: string }[],
  ): void {
    const chosen = select.value;
    const named = devices.filter(({ deviceId }) => deviceId && deviceId !== "default");
    const standard = { deviceId: "", label: this.#view.text("default_device") };
    const all = [standard, ...named, ...others];
    const isSame = all.map(({ deviceId }) => deviceId).join() === optionsOf(select).join();
    if (isSame) return;
    select.replaceChildren(...all.map(({ deviceId, label }) => new Option(label, deviceId)));
    select.value = all.some(({ deviceId }) => deviceId === chosen) ? chosen : "";
  }

  #fitStage(): void {
    const { videoWidth, videoHeight } = this.#preview;
    if (videoWidth > 0) this.#stage.style.aspectRatio = `${videoWidth} / ${videoHeight}`;
    this.#placeBubble();
  }

  #placeBubble(): void {
    const { clientWidth, clientHeight } = this.#stage;
    if (clientWidth === 0) return;
    const { x, y } = insideVideo(this.#inputs.bubble.place, clientWidth, clientHeight);
    Object.assign(this.#bubble.style, {
      left: `${100 * x}%`,
      top: `${100 * y}%`,
      width: `${100 * BUBBLE_SIZE}cqmin`,
    });
  }

  #moveTo(x: number, y: number): void {
    const { clientWidth, clientHeight } = this.#stage;
    this.#inputs.bubble.place = insideVideo({ x, y }, clientWidth, clientHeight);
    this.#placeBubble();
  }

  #moveBubble(): void {
    this.#bubble.onpointerdown = ({ pointerId }) => this.#bubble.setPointerCapture(pointerId);
    this.#bubble.onpointermove = ({ pointerId, clientX, clientY }) => {
      if (!this.#bubble.hasPointerCapture(pointerId)) return;
      const { left, top, width, height } = this.#stage.getBoundingClientRect();
      this.#moveTo((clientX - left) / width, (clientY - top) / height);
    };
    this.#bubble.onkeydown = (event) => {
      const moves: Record<string, [number, number]> = {
        ArrowLeft: [-STEP, 0],
        ArrowRight: [STEP, 0],
        ArrowUp: [0, -STEP],
        ArrowDown: [0, STEP],
      };
      const move = moves[event.key];
      if (!move) return;
      event.preventDefault();
      const { x, y } = this.#inputs.bubble.place;
      this.#moveTo(x + move[0], y + move[1]);
    };
  }

  readonly #showLevel = (): void => {
    const meter = element<HTMLMeterElement>("level");
    if (!meter.hidden) meter.value = this.#inputs.level();
    requestAnimationFrame(this.#showLevel);
  };
}

function optionsOf(select: HTMLSelectElement): string[] {
  return [...select.options].map(({ value }) => value);
}

/** The state of a permission. Browsers without an answer ask when the device opens. */
async function permission(name: string): Promise<PermissionState> {
  try {
    return (await navigator.permissions.query({ name: name as PermissionName })).state;
  } catch {
    return "prompt";
  }
}
