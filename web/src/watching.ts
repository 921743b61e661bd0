// Watch data: reports what was played. Only a link that names its viewer (`sub`) is reported, and
// only if the edge keeps watch data: it answers 404 otherwise, and nothing is sent any more. A
// report that fails is sent with the next one.
import { type Problem, problemIn } from "./answer.ts";
import { claimsOf } from "./link.ts";

/** The time between two reports while the video plays, in milliseconds. */
const REPORT_MS = 30_000;
/** The shortest time between a report and that of a pause, in milliseconds. */
const PAUSE_MS = 5_000;
/** Refusals after which the player stops, although it has more in its buffer. */
const STOPPING = new Set(["too_many_sessions", "revoked"]);
/** The most ranges of a report: `MAX_RUNS` of the edge. */
const MAX_RANGES = 200;
/** The time limit for a report, in milliseconds. */
const REPORTED_WITHIN_MS = 15_000;
/** The wait for the viewer's position before a lecture starts without it, in milliseconds. */
const POSITION_MS = 1_000;

type PlayedRange = [from: number, to: number];

/** A viewer's progress, as the edge answers it. */
interface Progress {
  position: number;
}

/**
 * Collects played seconds. A `seeking` event ends a range, so time between two updates was played.
 */
export class PlayedRanges {
  #ranges: PlayedRange[] = [];
  #current: PlayedRange | undefined;

  /** Notes that the video plays at this second. */
  at(time: number): void {
    if (this.#current && time >= this.#current[1]) this.#current[1] = time;
    else {
      this.stop();
      this.#current = [time, time];
    }
  }

  /** Ends the range that plays. */
  stop(): void {
    if (this.#current) this.#ranges.push(this.#current);
    this.#current = undefined;
  }

  /**
   * Takes the ranges out. The one that plays goes on at a whole second, because the edge counts
   * whole seconds.
   */
  take(): PlayedRange[] {
    const current = this.#current;
    const ranges = current ? [...this.#ranges, [...current] as PlayedRange] : this.#ranges;
    if (current) this.#current = [Math.max(current[0], Math.floor(current[1])), current[1]];
    const all = merged(ranges);
    // The edge takes so many. The others are sent with the next report.
    this.#ranges = all.slice(MAX_RANGES);
    return all.slice(0, MAX_RANGES);
  }

  /** Takes ranges in again whose report failed. */
  putBack(ranges: PlayedRange[]): void {
    this.#ranges = merged([...ranges, ...this.#ranges]);
  }
}

/** Sorts ranges and joins those that touch. Leaves out empty ones. */
function merged(ranges: PlayedRange[]): PlayedRange[] {
  const joined: PlayedRange[] = [];
  for (const [from, to] of ranges.filter(([from, to]) => from < to).sort(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

/** The URL of the edge for watch data of this link. */
export function endpoint(link: URL): URL {
  const url = new URL("/_lectern/watched", link);
  url.searchParams.set("path", link.pathname);
  for (const name of ["token", "session"]) {
    const value = link.searchParams.get(name);
    if (value) url.searchParams.set(name, value);
  }
  return url;
}

/**
 * Asks the edge for the second at which the viewer stopped. Only players that get no playlist's
 * headers ask so.
 */
export async function askPosition(
  link: URL,
  headers: Record<string, string> = {},
): Promise<number | undefined> {
  if (!claimsOf(link).sub) return undefined;
  try {
    const signal = AbortSignal.timeout(POSITION_MS);
    const answer = await fetch(endpoint(link), { cache: "no-store", headers, signal });
    return answer.ok ? (await progressIn(answer)).position : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Reports what a video plays, with the link that `current` returns at the time, and these headers.
 */
export function watch(
  video: HTMLVideoElement,
  current: () => string,
  headers: Record<string, string> = {},
  stop: (problem: Problem) => void = () => {},
  isLive: () => boolean = () => false,
  signal?: AbortSignal,
): void {
  const link = (): URL => new URL(current());
  if (!claimsOf(link()).sub) return;
  const played = new PlayedRanges();
  let isOver = false;
  let reported = Date.now();
  let last: number | undefined;

  const report = async (final: boolean): Promise<void> => {
    // A live lecture has no duration yet.
    if (isOver || isLive() || !Number.isFinite(video.duration) || video.duration < 1) return;
    const ranges = played.take();
    if (ranges.length === 0 && video.currentTime === last) return;
    const body = JSON.stringify({
      position: rounded(video.currentTime),
      duration: rounded(video.duration),
      ranges: ranges.map((range) => range.map(rounded)),
      speed: rounded(video.playbackRate),
      final,
    });
    reported = Date.now();
    last = video.currentTime;
    try {
      // As `sendBeacon`, it outlives the page; it also tells whether the report arrived.
      const answer = await fetch(endpoint(link()), {
        method: "POST",
        body,
        headers,
        keepalive: true,
        signal: AbortSignal.timeout(REPORTED_WITHIN_MS),
      });
      if (answer.ok) {
        await progressIn(answer);
        return;
      }
      const problem = await problemIn(answer);
      if (problem && isFinal(answer.status)) isOver = true;
      if (problem && STOPPING.has(problem.code ?? "")) {
        isOver = true;
        stop(problem);
      }
      throw new Error(String(answer.status));
    } catch {
      last = undefined;
      played.putBack(ranges);
    }
  };

  // The video element outlives its lecture.
  const listening = { signal };
  const leave = (): void => {
    void report(true);
    isOver = true;
  };
  signal?.addEventListener("abort", leave);
  for (const name of ["seeking", "emptied"])
    video.addEventListener(name, () => played.stop(), listening);
  video.addEventListener("play", () => (reported = Date.now()), listening);
  const update = (): void => {
    if (video.paused || video.seeking) return;
    played.at(video.currentTime);
    if (Date.now() >= reported + REPORT_MS) void report(false);
  };
  video.addEventListener("timeupdate", update, listening);
  const pause = (): void => {
    if (!video.seeking) played.at(video.currentTime);
    played.stop();
    if (!video.ended && Date.now() >= reported + PAUSE_MS) void report(false);
  };
  video.addEventListener("pause", pause, listening);
  video.addEventListener("ended", () => void report(true), listening);
  addEventListener("pagehide", () => void report(true), listening);
  const hide = (): void => {
    if (document.visibilityState === "hidden") void report(true);
  };
  document.addEventListener("visibilitychange", hide, listening);
}

/** Returns whether the edge will take no report of this link. */
function isFinal(status: number): boolean {
  return status === 400 || status === 401 || status === 404 || status === 405;
}

/** The progress in an answer of the edge. */
async function progressIn(answer: Response): Promise<Progress> {
  const progress: unknown = await answer.json();
  const isObject = typeof progress === "object" && progress !== null;
  if (!isObject || !("position" in progress) || typeof progress.position !== "number")
    throw new Error("not an answer of the edge");
  return { position: progress.position };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
