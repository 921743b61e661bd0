// Plays by the browser alone: files, and HLS where the browser plays it itself.
import type { Attempt } from "./attempts.ts";
import { claimsOf } from "./link.ts";
import type { MediaRecovery } from "./media-recovery.ts";
import type { NetworkRecovery } from "./network-recovery.ts";
import type { Playback } from "./playback.ts";

/** The time limit for the edge's redirection to a pass, in milliseconds. */
const PASS_WITHIN_MS = 15_000;
const NATIVE_HLS = "application/vnd.apple.mpegurl";
/** Files that are no playlists. */
const FILE = /\.(mp4|m4v|mov|webm|m4a|mp3)$/i;

/** Returns whether a link opens a file, and no playlist. */
export function isFile({ pathname }: URL): boolean {
  return FILE.test(pathname);
}

export class NativePlayback {
  readonly #playback: Playback;
  readonly #media: MediaRecovery;
  readonly #network: NetworkRecovery;

  constructor(playback: Playback, media: MediaRecovery, network: NetworkRecovery) {
    this.#playback = playback;
    this.#media = media;
    this.#network = network;
  }

  /** Returns whether the browser plays what a link opens. */
  plays(link: URL): boolean {
    return isFile(link) || this.#playback.video.canPlayType(NATIVE_HLS) !== "";
  }

  /** Plays at the same second. */
  async play(attempt: Attempt): Promise<void> {
    const playback = this.#playback;
    const { video, position } = playback;
    const source = await this.#source();
    if (!attempt.isCurrent) return;
    video.onerror = () => void this.recover();
    playback.isOpened = false;
    const { playbackRate } = video;
    video.src = source;
    video.playbackRate = playbackRate;
    if (position.second > 0) video.currentTime = position.second;
    playback.playOn();
  }

  /** Recovers from an error of the video element. */
  async recover(): Promise<void> {
    const playback = this.#playback;
    const { passes, isRefused, hls } = playback;
    const { error } = playback.video;
    if (!passes || !error || isRefused || hls) return;
    const attempt = playback.attempts.startIfIdle();
    if (!attempt) return;
    try {
      const reason = await playback.problemOf(passes.link);
      if (!attempt.isCurrent) return;
      const isDamage = reason === undefined && error.code !== MediaError.MEDIA_ERR_NETWORK;
      if (isDamage && !this.#media.mayTryAgain()) return playback.refuse({ code: "unplayable" });
      if (isDamage) return await this.play(attempt);
      let loads: Promise<void> | undefined;
      const load = (): void => void (loads = this.play(attempt));
      await this.#network.followUp({ status: 0, reason }, attempt, passes, load, load);
      await loads;
    } finally {
      attempt.finish();
    }
  }

  /** Drops the video element's source. */
  drop(): void {
    const { video } = this.#playback;
    if (!video.hasAttribute("src")) return;
    video.onerror = null;
    video.removeAttribute("src");
    video.load();
  }

  /**
   * The URL for the browser. Where it plays HLS itself, it sends no header, so the page opens a
   * link that counts pages, and the browser gets a pass.
   */
  async #source(): Promise<string> {
    const { link } = this.#playback;
    const { headers } = this.#playback.host;
    if (isFile(link) || Object.keys(headers).length === 0 || !claimsOf(link).origin)
      return link.href;
    const opening = new URL(link);
    opening.searchParams.set("as", "directory");
    try {
      const signal = AbortSignal.timeout(PASS_WITHIN_MS);
      const answer = await fetch(opening, { cache: "no-store", headers, signal });
      return answer.ok ? answer.url : link.href;
    } catch {
      return link.href;
    }
  }
}
