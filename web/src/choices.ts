// hls.js with the viewer's choices of quality, audio track and data, which outlast a recovery.
import Hls, { type HlsConfig } from "hls.js";
import { abrSettings, aheadSettings, cautiousLevel, linesOf, lowDataLevel } from "./abr.ts";
import { bandwidth, keepSettings, settings } from "./memory.ts";
import type { Playback } from "./playback.ts";

/** The part of hls.js that fits the quality to the player's size. The build has it. */
const SizeCap = Hls.DefaultConfig.capLevelController!;
/** hls.js's choice of a quality by the bandwidth. */
const BandwidthChoice = Hls.DefaultConfig.abrController;

export interface Quality {
  id: number;
  height: number;
  /** The shorter side, by which people name a quality. */
  lines: number;
}

export interface AudioChoice {
  id: number;
  name: string;
}

export class Choices {
  readonly #playback: Playback;
  #height: number | undefined;
  #audio: { lang?: string; name: string } | undefined;
  #isLowData = settings().lowData === true;
  #sizeCap: { detectPlayerSize(): void } | undefined;

  constructor(playback: Playback) {
    this.#playback = playback;
  }

  /** Makes hls.js, which plays by these choices. */
  makeHls(loader: HlsConfig["loader"]): Hls {
    const choices = this;
    const hls: Hls = new Hls({
      ...abrSettings({ bandwidth: bandwidth(), isLowData: this.#isLowData }),
      // Segments are CMAF, which needs no remuxing that a worker would speed up.
      enableWorker: false,
      startPosition: this.#playback.loadsFrom,
      audioPreference: this.#audio,
      loader,
      abrController: class extends BandwidthChoice {
        override get nextAutoLevel(): number {
          const ahead = hls.mainForwardBufferInfo?.len ?? 0;
          return cautiousLevel(super.nextAutoLevel, hls.levels, hls.bandwidthEstimate, ahead);
        }

        override set nextAutoLevel(level: number) {
          super.nextAutoLevel = level;
        }
      },
      capLevelController: class extends SizeCap {
        constructor(owner: Hls) {
          super(owner);
          choices.#sizeCap = this;
        }

        override getMaxLevel(last: number): number {
          const bySize = super.getMaxLevel(last);
          return choices.#isLowData ? Math.min(bySize, lowDataLevel(hls.levels)) : bySize;
        }
      },
    });
    return hls;
  }

  /** Chooses the viewer's quality again, if the lecture still has it. */
  restore(hls: Hls): void {
    const chosen = this.qualities().find(({ height }) => height === this.#height);
    if (chosen) hls.startLevel = hls.loadLevel = chosen.id;
  }

  /** Heights to choose from, the largest first. */
  qualities(): Quality[] {
    const byHeight = new Map<number, Quality>();
    for (const [id, level] of (this.#playback.hls?.levels ?? []).entries()) {
      const { height } = level;
      if (height) byHeight.set(height, { id, height, lines: linesOf(level) });
    }
    return [...byHeight.values()].sort((one, other) => other.height - one.height);
  }

  /** The chosen quality, or -1 if the player chooses. */
  get quality(): number {
    return this.#playback.hls?.manualLevel ?? -1;
  }

  /** The viewer's choice counts more than the player's size. */
  set quality(id: number) {
    const { hls, isLost } = this.#playback;
    if (!hls) return;
    this.#height = hls.levels[id]?.height;
    // `nextLevel` drops what is loaded, which is all that plays without a connection.
    hls[isLost ? "loadLevel" : "nextLevel"] = id;
  }

  /** The lines of the quality that plays. */
  get lines(): number {
    const { hls, video } = this.#playback;
    const { videoWidth: width, videoHeight: height } = video;
    return linesOf(hls?.levels[hls.currentLevel] ?? { width, height });
  }

  audioTracks(): AudioChoice[] {
    return (this.#playback.hls?.audioTracks ?? []).map(({ name, lang }, id) => ({
      id,
      name: name || lang || String(id + 1),
    }));
  }

  get audio(): number {
    return this.#playback.hls?.audioTrack ?? -1;
  }

  set audio(id: number) {
    const { hls } = this.#playback;
    const track = hls?.audioTracks[id];
    if (!hls || !track) return;
    const { lang, name } = track;
    this.#audio = { lang, name };
    hls.config.audioPreference = this.#audio;
    hls.audioTrack = id;
  }

  /** Returns whether the player loads little: low qualities, and not far ahead. */
  get lowData(): boolean {
    return this.#isLowData;
  }

  set lowData(isOn: boolean) {
    const { hls, host } = this.#playback;
    this.#isLowData = isOn;
    keepSettings({ lowData: isOn });
    if (hls) {
      Object.assign(hls.config, aheadSettings(isOn));
      this.#sizeCap?.detectPlayerSize();
    }
    host.changed();
  }
}
