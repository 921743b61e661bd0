// One playback of a lecture: the facts and steps that the engine and its recoveries share.
import type Hls from "hls.js";
import { type Problem, reasonOf } from "./answer.ts";
import { Attempts } from "./attempts.ts";
import { refusalOf } from "./refusals.ts";
import type { Renewal } from "./renewal.ts";
import type { Extras } from "./session-data.ts";
import type { Position } from "./start.ts";
import type { PlayerEvent, Refusal } from "./state.ts";

export interface EngineHost {
  /** Headers of requests with the link. */
  headers: Record<string, string>;
  /** Pages around the player page, the nearest first. */
  pages: readonly string[];
  /** Asks the course app for a new link. */
  ask?: () => Promise<URL | undefined>;
  dispatch(event: PlayerEvent): void;
  /** The lists of qualities or audio tracks changed. */
  changed(): void;
  extras(extras: Extras): void;
  /** The lecture goes on at the second where the viewer stopped. */
  resumed(second: number): void;
  /** A part that the browser cannot decode is left out. */
  skipped(): void;
}

export class Playback {
  readonly video: HTMLVideoElement;
  readonly host: EngineHost;
  readonly position: Position;
  /** Stops with a reason. The picture stays. */
  readonly refuse: (refusal: Refusal) => void;
  readonly attempts = new Attempts();
  hls: Hls | undefined;
  passes: Renewal | undefined;
  /** Nothing plays before the viewer opens the lecture again. */
  isRefused = false;
  /** The Multivariant Playlist has loaded. */
  isOpened = false;
  /** A picture has loaded since the lecture was opened. */
  hasLoaded = false;
  /** The viewer wants the lecture to play. A new source pauses the video element. */
  isWanted = false;
  /** The lecture is still recorded. */
  isLive = false;
  /** Network errors since something last loaded. */
  networkErrors = 0;
  readonly #link: URL;

  constructor(
    video: HTMLVideoElement,
    link: URL,
    position: Position,
    host: EngineHost,
    refuse: (refusal: Refusal) => void,
  ) {
    this.video = video;
    this.#link = link;
    this.position = position;
    this.host = host;
    this.refuse = refuse;
  }

  /** The link, which may be newer than the one that opened the player. */
  get link(): URL {
    return this.passes?.link ?? this.#link;
  }

  /** Returns whether nothing loads now. */
  get isLost(): boolean {
    return this.networkErrors > 0 || !navigator.onLine;
  }

  /** The second to load from. -1 leaves it to hls.js, which joins a live lecture at its end. */
  get loadsFrom(): number {
    return this.position.loadsFrom(this.hasLoaded);
  }

  /** Keeps the last picture as the poster, while the lecture is opened again. */
  keepPicture(): void {
    const { videoWidth: width, videoHeight: height, readyState } = this.video;
    if (!width || readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    try {
      canvas.getContext("2d")?.drawImage(this.video, 0, 0);
      this.video.poster = canvas.toDataURL("image/jpeg", 0.8);
    } catch {
      // Another origin's picture cannot be copied.
    }
  }

  /** Plays on after a change of the source, which pauses the video element. */
  playOn(): void {
    if (this.isWanted && this.video.paused) void this.video.play().catch(() => {});
  }

  /** Stops with the edge's reason, if it gave one. */
  refuseFor(problem: Problem | undefined): void {
    const { pages } = this.host;
    const around = pages.length > 0 ? pages : [location.origin];
    this.refuse(problem ? refusalOf(problem, this.link, around) : { code: "unplayable" });
  }

  /** Asks the edge why a URL does not open. `undefined` if it does open. */
  problemOf(url: URL): Promise<Problem | "unreachable" | undefined> {
    return reasonOf(url, url.searchParams.has("token") ? this.host.headers : {});
  }
}
