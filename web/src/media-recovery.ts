// Recovers from segments that the browser cannot decode: loads them again, skips them, or stops.
import Hls, { type ErrorData, type Fragment } from "hls.js";
import { Damage } from "./damage.ts";
import type { Playback } from "./playback.ts";

/** The longest part that is left out because the browser cannot decode it, in seconds. */
const LONGEST_JUMP_SECONDS = 30;
/** The shortest jump that the viewer hears of, in seconds. */
const SHORTEST_JUMP_SECONDS = 1;
/** The time in which hls.js recovers from a media error, in milliseconds. */
const RECOVERED_WITHIN_MS = 1_000;
/** The rest of a lecture that is no segment, in seconds. Audio and video end apart. */
const END_MARGIN_SECONDS = 0.5;
/** Seconds that a decoder is ahead of the picture. */
const DECODED_AHEAD_SECONDS = 0.5;
const {
  BUFFER_APPENDING_ERROR,
  BUFFER_SEEK_OVER_HOLE,
  BUFFER_STALLED_ERROR,
  MEDIA_SOURCE_REQUIRES_RESET,
} = Hls.ErrorDetails;

/** A media error: what of it is used. */
export type MediaProblem = Pick<ErrorData, "details" | "fatal" | "frag" | "sourceBufferName">;

export class MediaRecovery {
  readonly #playback: Playback;
  #damage = new Damage();
  /** The segment of each kind of media that is decoded now. */
  readonly #appending = new Map<string, Fragment>();
  /** The segment at which decoding failed. */
  #damaged: Fragment | undefined;

  constructor(playback: Playback) {
    this.#playback = playback;
  }

  /** Forgets the errors of what was opened before. */
  reset(): void {
    this.#damage = new Damage();
    this.#damaged = undefined;
  }

  /** Notes the segments that hls.js hands to the browser. */
  attach(hls: Hls): void {
    hls.on(Hls.Events.BUFFER_APPENDING, (_event, { type, frag }) => {
      this.#appending.set(type, frag);
    });
  }

  /** Notes that the lecture plays at this second. */
  plays(second: number): void {
    this.#damage.plays(second);
  }

  /** Notes an error of the browser's own player. Returns whether another try may help. */
  mayTryAgain(): boolean {
    const { second } = this.#playback.position;
    return this.#damage.next(second, second, false) !== "stop";
  }

  /** Recovers in place of hls.js, which sees an error only with the next segment. */
  expect(): void {
    const { hls, video } = this.#playback;
    if (!hls) return;
    setTimeout(() => {
      const details = MEDIA_SOURCE_REQUIRES_RESET;
      if (video.error) this.recover(hls, { details, fatal: true });
    }, RECOVERED_WITHIN_MS);
  }

  /**
   * Recovers near an error, where hls.js may load nothing and report nothing. Returns whether it
   * does.
   */
  recoverStall(): boolean {
    const { hls, position } = this.#playback;
    if (!hls || !this.#damage.isNear(position.second)) return false;
    this.recover(hls, { details: BUFFER_STALLED_ERROR, fatal: true });
    return true;
  }

  /** Recovers from a segment that the browser cannot decode. */
  recover(hls: Hls, problem: MediaProblem): void {
    const playback = this.#playback;
    if (playback.isRefused || hls !== playback.hls) return;
    const { details, fatal, sourceBufferName } = problem;
    // The errors that follow name the next segment, or that of another track.
    if (details === BUFFER_APPENDING_ERROR)
      this.#damaged ??= this.#appending.get(sourceBufferName ?? "");
    if (details === BUFFER_SEEK_OVER_HOLE) return this.#followJump();
    if (!fatal && details !== MEDIA_SOURCE_REQUIRES_RESET) return;
    const { position, host } = playback;
    const segment = this.#segmentOf(hls, problem);
    this.#damaged = undefined;
    const at = segment?.start ?? position.second;
    const isLast = segment !== undefined && this.#isLast(hls, segment);
    const step = this.#damage.next(at, position.second, segment !== undefined, isLast);
    if (step === "stop") {
      position.second = this.#damage.began;
      return playback.refuse({ code: "unplayable" });
    }
    if (step === "end") return this.#endEarly(hls, fatal);
    if (step === "skip" && segment) {
      position.second = segment.end;
      host.skipped();
    }
    // hls.js starts again where its settings say, unless the error was fatal.
    hls.config.startPosition = playback.loadsFrom;
    if (fatal) hls.recoverMediaError();
    if (fatal || step === "skip") {
      hls.stopLoad();
      hls.startLoad(playback.loadsFrom);
    }
    playback.playOn();
  }

  #isLast(hls: Hls, segment: Fragment): boolean {
    const edge = hls.levels[hls.loadLevel]?.details?.edge ?? Infinity;
    return !this.#playback.isLive && segment.end >= edge - END_MARGIN_SECONDS;
  }

  /** Ends the lecture before segments that the browser cannot decode. It may play again. */
  #endEarly(hls: Hls, isFatal: boolean): void {
    const playback = this.#playback;
    const { video, host, position } = playback;
    playback.isWanted = false;
    video.pause();
    host.dispatch({ type: "end" });
    host.skipped();
    position.second = hls.config.startPosition = 0;
    if (isFatal) hls.recoverMediaError();
    else video.currentTime = 0;
    hls.stopLoad();
    hls.startLoad(0);
  }

  /** Follows hls.js over segments that it left out, but not over half a lecture. */
  #followJump(): void {
    const { video, position, host, refuse } = this.#playback;
    const seconds = video.currentTime - position.second;
    if (seconds > LONGEST_JUMP_SECONDS) refuse({ code: "unplayable" });
    else if (seconds > SHORTEST_JUMP_SECONDS) host.skipped();
  }

  /** The segment of a media error: the one that was decoded, else the one that plays. */
  #segmentOf(hls: Hls, { frag }: MediaProblem): Fragment | undefined {
    const known = this.#damaged ?? frag;
    if (known) return known;
    const at = this.#playback.position.second + DECODED_AHEAD_SECONDS;
    const segments = hls.levels[hls.loadLevel]?.details?.fragments;
    return segments?.find(({ start, end }) => start <= at && at < end);
  }
}
