// The sound of a recording: microphone and system audio in one track, which never ends. Without a
// source it is silent, so that an unplugged microphone stops nothing.

export type AudioInput = "microphone" | "system";

export const SAMPLE_RATE = 48_000;

export class AudioMix {
  readonly #context = new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" });
  readonly #destination = new MediaStreamAudioDestinationNode(this.#context, { channelCount: 2 });
  readonly #meter = new AnalyserNode(this.#context, { fftSize: 1024 });
  readonly #inputs = new Map<AudioInput, MediaStreamAudioSourceNode>();
  readonly #samples = new Float32Array(1024);

  get track(): MediaStreamAudioTrack {
    return this.#destination.stream.getAudioTracks()[0] as MediaStreamAudioTrack;
  }

  /** Lets the context run. Browsers ask for a click first. */
  async resume(): Promise<void> {
    if (this.#context.state === "suspended") await this.#context.resume();
  }

  connect(input: AudioInput, track: MediaStreamTrack): void {
    this.disconnect(input);
    const node = this.#context.createMediaStreamSource(new MediaStream([track]));
    node.connect(this.#destination);
    if (input === "microphone") node.connect(this.#meter);
    this.#inputs.set(input, node);
  }

  disconnect(input: AudioInput): void {
    this.#inputs.get(input)?.disconnect();
    this.#inputs.delete(input);
  }

  /** The microphone's level between 0 and 1, on a scale of 60 dB. */
  level(): number {
    this.#meter.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0);
    const decibels = 10 * Math.log10(power / this.#samples.length + 1e-9);
    return Math.min(1, Math.max(0, 1 + decibels / 60));
  }

  close(): void {
    void this.#context.close();
  }
}
