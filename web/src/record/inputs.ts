// Screen, camera and microphone of a recording.
import { AudioMix } from "./audio-mix.ts";
import { CameraBubble } from "./camera-bubble.ts";

export type RecordingSource = "screen" | "camera" | "both";
export type InputDevice = "screen" | "camera" | "microphone";

export interface InputChoice {
  source: RecordingSource;
  /** Ids of devices; an empty text is the default, and nothing is no device. */
  camera: string | undefined;
  microphone: string | undefined;
  hasSystemAudio: boolean;
}

/** A device that does not open. */
export class InputError extends Error {
  readonly device: InputDevice;
  readonly reason: "denied" | "missing" | "busy";

  constructor(device: InputDevice, cause: unknown) {
    super(`${device}: ${String(cause)}`);
    this.device = device;
    const name = (cause as { name?: unknown } | null)?.name;
    const isMissing = name === "NotFoundError" || name === "OverconstrainedError";
    this.reason = name === "NotAllowedError" ? "denied" : isMissing ? "missing" : "busy";
  }
}

const CAMERA_SIZE = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

export class Inputs {
  readonly bubble = new CameraBubble();
  #mix: AudioMix | undefined;
  #screen: MediaStream | undefined;
  #camera: MediaStream | undefined;
  #microphone: MediaStream | undefined;
  /** Reports a device that ended by itself. */
  onEnded: (device: InputDevice) => void = () => {};

  get screen(): MediaStream | undefined {
    return this.#screen;
  }

  get camera(): MediaStream | undefined {
    return this.#camera;
  }

  get hasMicrophone(): boolean {
    return this.#microphone !== undefined;
  }

  get hasAudio(): boolean {
    return this.#microphone !== undefined || (this.#screen?.getAudioTracks().length ?? 0) > 0;
  }

  /** The track that the recording is made of. */
  mainTrack(source: RecordingSource): MediaStreamVideoTrack | undefined {
    const stream = source === "camera" ? this.#camera : this.#screen;
    const [track] = stream?.getVideoTracks() ?? [];
    return track?.readyState === "live" ? (track as MediaStreamVideoTrack) : undefined;
  }

  /** The sound's track, which is silent without a source. */
  audioTrack(): MediaStreamAudioTrack {
    return this.#audio().track;
  }

  level(): number {
    return this.#mix?.level() ?? 0;
  }

  async openScreen(hasSystemAudio: boolean): Promise<void> {
    this.closeScreen();
    const options = {
      video: { frameRate: { ideal: 30 } },
      audio: hasSystemAudio,
      systemAudio: hasSystemAudio ? "include" : "exclude",
      selfBrowserSurface: "exclude",
      surfaceSwitching: "include",
    };
    const stream = await navigator.mediaDevices
      .getDisplayMedia(options as DisplayMediaStreamOptions)
      .catch((error) => {
        throw new InputError("screen", error);
      });
    this.#screen = this.#watch("screen", stream);
    const [sound] = stream.getAudioTracks();
    if (sound) {
      this.#audio().connect("system", sound);
      await this.#audio().resume();
    }
  }

  async openCamera(id: string): Promise<void> {
    this.closeCamera();
    const device = id ? { deviceId: { exact: id } } : {};
    const stream = await this.#user("camera", { video: { ...CAMERA_SIZE, ...device } });
    this.#camera = this.#watch("camera", stream);
    this.bubble.setCamera(stream.getVideoTracks()[0] as MediaStreamVideoTrack);
  }

  async openMicrophone(id: string): Promise<void> {
    this.closeMicrophone();
    const device = id ? { deviceId: { exact: id } } : {};
    const stream = await this.#user("microphone", { audio: { echoCancellation: true, ...device } });
    this.#microphone = this.#watch("microphone", stream);
    const [track] = stream.getAudioTracks();
    if (track) this.#audio().connect("microphone", track);
    // Without a click, the context starts with the recording.
    void this.#mix?.resume().catch(() => {});
  }

  resumeAudio(): Promise<void> {
    return this.#mix?.resume() ?? Promise.resolve();
  }

  closeScreen(): void {
    this.#mix?.disconnect("system");
    this.#screen = stopTracks(this.#screen);
  }

  closeCamera(): void {
    this.bubble.setCamera(undefined);
    this.#camera = stopTracks(this.#camera);
  }

  closeMicrophone(): void {
    this.#mix?.disconnect("microphone");
    this.#microphone = stopTracks(this.#microphone);
  }

  close(): void {
    this.closeScreen();
    this.closeCamera();
    this.closeMicrophone();
    this.#mix?.close();
    this.#mix = undefined;
  }

  #audio(): AudioMix {
    return (this.#mix ??= new AudioMix());
  }

  async #user(device: InputDevice, constraints: MediaStreamConstraints): Promise<MediaStream> {
    return navigator.mediaDevices.getUserMedia(constraints).catch((error) => {
      throw new InputError(device, error);
    });
  }

  #watch(device: InputDevice, stream: MediaStream): MediaStream {
    const [track] = device === "microphone" ? stream.getAudioTracks() : stream.getVideoTracks();
    track?.addEventListener("ended", () => this.onEnded(device));
    return stream;
  }
}

/** Devices of a kind. Names are empty before the first permission. */
export async function devicesOf(kind: "videoinput" | "audioinput"): Promise<MediaDeviceInfo[]> {
  const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  return all.filter((device) => device.kind === kind);
}

function stopTracks(stream: MediaStream | undefined): undefined {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
