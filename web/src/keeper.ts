// Loads a lecture onto the device, file by file. What is there already is not loaded again.
import Hls from "hls.js";
import { lowDataLevel } from "./abr.ts";
import { readText } from "./bounded.ts";
import type { Engine } from "./engine.ts";
import { deleteFiles, forget, keptOf, list } from "./kept.ts";
import { claimsOf, lectureOf } from "./link.ts";
import {
  bare,
  cacheOf,
  isOver,
  type Kept,
  pathOf,
  type Reduced,
  reduce,
  rungIn,
} from "./offline.ts";

/** The largest playlists, in bytes. */
const MAX_PLAYLIST_BYTES = 16 << 20;
/** Statuses of links and passes that open nothing any more. */
const ENDED = new Set([401, 403, 410]);
/** Files that load at once. */
const AT_ONCE = 3;

/** The reason why a lecture is not on the device. */
export type KeepProblem = "connection" | "full" | "live" | "ended" | "failed";

export interface KeepState {
  /** `stopped`: some files are there. */
  kind: "none" | "loading" | "stopped" | "kept";
  problem?: KeepProblem;
  kept?: Kept;
  /** Bytes that are there, and the share of files. */
  bytes: number;
  share: number;
}

/** A rung that the device may keep. */
export interface DeviceRung {
  height: number;
  /** Bits a second, with one audio track. */
  bandwidth: number;
  /** The URL of its Media Playlist. */
  uri: string;
  /** The number of its audio tracks. */
  tracks: number;
}

/** Rungs that the browser plays, one a height, the largest first. */
export function rungsOf({ levels, allAudioTracks }: Hls): DeviceRung[] {
  const byHeight = new Map<number, DeviceRung>();
  for (const { height, averageBitrate, bitrate, uri, audioGroups } of levels) {
    const bandwidth = averageBitrate || bitrate;
    const smallest = byHeight.get(height)?.bandwidth ?? Infinity;
    const tracks = allAudioTracks.filter(({ groupId }) => audioGroups?.includes(groupId)).length;
    if (height && bandwidth < smallest) byHeight.set(height, { height, bandwidth, uri, tracks });
  }
  return [...byHeight.values()].sort((one, other) => other.height - one.height);
}

/** The height that the viewer has chosen, else that of low-data playback. */
export function wantedHeight({ manualLevel, levels }: Hls): number | undefined {
  return levels[manualLevel < 0 ? lowDataLevel(levels) : manualLevel]?.height;
}

class Unkept extends Error {
  readonly problem: KeepProblem;

  constructor(problem: KeepProblem) {
    super(problem);
    this.problem = problem;
  }
}

const NONE: KeepState = { kind: "none", bytes: 0, share: 0 };
/** Downloads of this page, which outlast the panel. */
const keepers = new Map<string, Keeper>();

/** The keeper of the lecture that an engine plays. */
export function keeperOf(engine: Engine): Keeper {
  const { pathname } = engine.link;
  const sub = claimsOf(engine.link).sub ?? "";
  const key = lectureOf(engine.link);
  const keeper = keepers.get(key) ?? new Keeper(pathname, sub);
  keepers.set(key, keeper);
  keeper.engine = engine;
  return keeper;
}

export class Keeper {
  engine!: Engine;
  /** Hears of every change. */
  changed: (() => void) | undefined;
  readonly #path: string;
  readonly #sub: string;
  #state = NONE;
  #stopping: AbortController | undefined;

  constructor(path: string, sub: string) {
    this.#path = path;
    this.#sub = sub;
  }

  get state(): KeepState {
    return this.#state;
  }

  /** Reads what the device has. */
  async read(): Promise<void> {
    if (this.#stopping) return;
    const kept = await keptOf(this.#path, this.#sub).catch(() => undefined);
    if (!kept || isOver(kept, Date.now())) return this.#set(NONE);
    const kind = kept.state === "kept" ? "kept" : "stopped";
    this.#set({ kind, kept, bytes: kept.bytes, share: kind === "kept" ? 1 : 0 });
  }

  /** Returns whether the course has another revision than the device. */
  async isReplaced(): Promise<boolean> {
    const { kept } = this.#state;
    if (kept?.state !== "kept") return false;
    try {
      const [text, base] = await this.#open();
      return reduce(text, base, kept.playlist) === "unknown";
    } catch {
      return false;
    }
  }

  /** Loads a rung, or what is missing of it. */
  async keep(rung: DeviceRung): Promise<void> {
    if (this.#stopping) return;
    const { kept: before } = this.#state;
    const stopping = new AbortController();
    this.#stopping = stopping;
    this.#set({ kind: "loading", kept: before, bytes: 0, share: 0 });
    // The browser may ask the viewer. The answer changes nothing here.
    void navigator.storage?.persist?.().catch(() => false);
    const kept: Kept = {
      path: this.#path,
      sub: this.#sub,
      state: "loading",
      at: Date.now(),
      seconds: claimsOf(this.engine.link).offline ?? 0,
      height: rung.height,
      playlist: pathOf(rung.uri, this.engine.link.href) ?? "",
      bytes: 0,
    };
    try {
      const registered = register();
      // A complete revision plays until the new one is.
      if (before?.state !== "kept") await list(kept);
      const loaded = await this.#load(kept, stopping);
      await registered;
      const whole: Kept = { ...loaded, state: "kept", at: Date.now(), bytes: this.#state.bytes };
      await list(whole);
      await deleteFiles(whole, whole);
      this.#stopping = undefined;
      this.#set({ kind: "kept", kept: whole, bytes: whole.bytes, share: 1 });
      // What plays may be the revision before, whose files are gone.
      if (before?.state === "kept") this.engine.isOnDevice = false;
      this.engine.isOnDevice = true;
    } catch (error) {
      stopping.abort();
      this.#stopping = undefined;
      const { bytes, share } = this.#state;
      if (before?.state === "kept") {
        await this.read();
        return this.#set({ ...this.#state, problem: problemOf(error) });
      }
      const stopped = { ...kept, bytes };
      await list(stopped).catch(() => {});
      this.#set({ kind: "stopped", kept: stopped, bytes, share, problem: problemOf(error) });
    }
  }

  /** Stops to load. What is there stays. */
  stop(): void {
    this.#stopping?.abort();
  }

  /** Deletes the lecture from the device. */
  async remove(): Promise<void> {
    this.stop();
    await forget({ path: this.#path, sub: this.#sub });
    this.engine.isOnDevice = false;
    this.#set(NONE);
  }

  #set(state: KeepState): void {
    this.#state = state;
    this.changed?.();
  }

  /** Opens the Multivariant Playlist at the edge. */
  async #open(signal?: AbortSignal): Promise<[text: string, base: string]> {
    const { link, headers } = this.engine;
    const answer = await load(link.href, { cache: "reload", headers, signal });
    return readPlaylist(answer, link.href);
  }

  /** Loads the files. Returns the entry, which has another playlist after a new revision. */
  async #load(wanted: Kept, stopping: AbortController): Promise<Kept> {
    const { signal } = stopping;
    const [text, base] = await this.#open(signal);
    const isThere = reduce(text, base, wanted.playlist) !== "unknown";
    const kept = isThere ? wanted : { ...wanted, ...rungIn(text, base, wanted.height, isPlayable) };
    const reduced = reduce(text, base, kept.playlist);
    if (typeof reduced === "string") throw new Unkept("failed");
    const cache = await caches.open(cacheOf(kept));
    const texts = new Map<string, string>();
    const files = new Set<string>();
    for (const url of reduced.playlists) {
      const [media, at] = await readPlaylist(await load(url, { cache: "reload", signal }), url);
      const found = bare(media, at);
      if (typeof found === "string") throw new Unkept(found === "live" ? "live" : "failed");
      texts.set(new URL(url).pathname, found.text);
      for (const file of found.urls) files.add(file);
    }
    const queue = [...beside(reduced), ...[...files].map((url) => ({ url, isNeeded: true }))];
    const rest = queue.values();
    const loadRest = async (): Promise<void> => {
      for (const { url, isNeeded } of rest) {
        const bytes = await loadFile(cache, url, isNeeded, signal);
        const { share, ...state } = this.#state;
        const loaded = { bytes: state.bytes + bytes, share: share + 1 / queue.length };
        this.#set({ ...state, ...loaded });
      }
    };
    const loading = Array.from({ length: AT_ONCE }, () =>
      loadRest().catch((error: unknown) => {
        stopping.abort(error);
        throw error;
      }),
    );
    await Promise.allSettled(loading);
    signal.throwIfAborted();
    for (const [path, playlist] of texts) await cache.put(path, playlistAnswer(playlist));
    await cache.put(kept.path, playlistAnswer(reduced.text));
    return kept;
  }
}

function isPlayable(codecs: string): boolean {
  return Hls.getMediaSource()?.isTypeSupported(`video/mp4;codecs="${codecs}"`) ?? false;
}

/** Files beside the lecture, without which it plays all the same. */
function beside({ files }: Reduced): { url: string; isNeeded: boolean }[] {
  return files.map((url) => ({ url, isNeeded: false }));
}

/** Loads a file that is not there yet. Returns its bytes. */
async function loadFile(
  cache: Cache,
  url: string,
  isNeeded: boolean,
  signal: AbortSignal,
): Promise<number> {
  const { origin, pathname } = new URL(url);
  const there = await cache.match(origin + pathname, { ignoreVary: true });
  if (there) return (await there.blob()).size;
  const answer = await fetch(url, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw new Unkept(error instanceof TypeError ? "connection" : "failed");
  });
  if (!answer.ok) {
    await answer.body?.cancel();
    if (isNeeded) throw new Unkept(ENDED.has(answer.status) ? "ended" : "failed");
    return 0;
  }
  const type = answer.headers.get("content-type") ?? "application/octet-stream";
  const file = await answer.blob().catch(() => {
    signal.throwIfAborted();
    throw new Unkept("connection");
  });
  const headers = { "Content-Type": type, "Content-Length": String(file.size) };
  await cache.put(origin + pathname, new Response(file, { headers }));
  return file.size;
}

async function load(url: string, options: RequestInit): Promise<Response> {
  const answer = await fetch(url, options).catch(() => {
    options.signal?.throwIfAborted();
    throw new Unkept("connection");
  });
  if (!answer.ok) throw new Unkept(ENDED.has(answer.status) ? "ended" : "failed");
  return answer;
}

async function readPlaylist(answer: Response, url: string): Promise<[string, string]> {
  const text = await readText(answer, MAX_PLAYLIST_BYTES);
  if (!text.startsWith("#EXTM3U")) throw new Unkept("connection");
  return [text, answer.url || url];
}

function playlistAnswer(text: string): Response {
  return new Response(text, { headers: { "Content-Type": "application/vnd.apple.mpegurl" } });
}

function problemOf(error: unknown): KeepProblem | undefined {
  if (error instanceof Unkept) return error.problem;
  if (!(error instanceof DOMException)) return "failed";
  if (error.name === "AbortError") return undefined;
  return error.name === "QuotaExceededError" ? "full" : "failed";
}

/** Registers the service worker, and waits until it answers. */
async function register(): Promise<void> {
  const registration = await navigator.serviceWorker.register("/_lectern/sw.js");
  const installing = registration.installing ?? registration.waiting;
  if (registration.active || !installing) return;
  await new Promise<void>((resolve, reject) => {
    installing.addEventListener("statechange", () => {
      if (installing.state === "activated") resolve();
      else if (installing.state === "redundant") reject(new Unkept("connection"));
    });
  });
}
