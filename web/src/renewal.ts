// Renews passes before they end. A pass opens one object for the link's `watch`; the link gives new
// ones while it is valid, and the course app gives a new link. A player keeps the URLs that it has,
// so the loader replaces them. Nothing runs by a timer: a page that loads nothing asks for nothing,
// and one that slept renews when it wakes.
import { COPY_ENDED, type Problem, problemIn } from "./answer.ts";
import { claimsOf } from "./link.ts";

/** The share of a pass's life after which it is renewed. */
const RENEW_AT = 0.6;
/** The wait after a failed renewal, in milliseconds. */
const RETRY_MS = 5_000;
/** Refusals that end a lecture. Others, such as 429, pass. */
const FINAL = new Set([400, 401, 403, 404, 410]);
const URI = /URI="([^"]+)"|^(?!#)\S.*$/gm;

const STEERING = /^#EXT-X-CONTENT-STEERING:.*?SERVER-URI="([^"]+)"/m;

/** A part of a steering manifest. */
interface PathwayClone {
  "URI-REPLACEMENT": {
    "PER-VARIANT-URIS"?: Record<string, string>;
    "PER-RENDITION-URIS"?: Record<string, string>;
  };
}

/** The last second of a URL's pass (`p=…`), or `undefined` if it has none. */
export function passEnd(url: string): number | undefined {
  const pass = new URL(url).searchParams.get("p");
  if (!pass || !/^[\w-]{30,}$/.test(pass)) return undefined;
  const head = atob(pass.slice(0, 8).replaceAll("-", "+").replaceAll("_", "/"));
  // tag, hint, and four bytes of the last second.
  return [2, 3, 4, 5].reduce((end, at) => end * 256 + head.charCodeAt(at), 0);
}

/** The absolute URLs that a playlist names. */
export function listed(playlist: string, base: string): string[] {
  const uris = [...playlist.matchAll(URI)].map(([line, uri]) => (uri ?? line).trim());
  return uris.filter((uri) => URL.canParse(uri, base)).map((uri) => new URL(uri, base).href);
}

/** The headers of an answer that count here. */
export interface AnswerHeaders {
  get(name: string): string | null;
}

/** The course app and the platform, for a renewal. */
export interface RenewalContext {
  fetch: typeof fetch;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Headers of requests with the link. */
  headers?: Record<string, string>;
  /** Asks the course app for a new link, when the edge says that the link has expired. */
  ask?: () => Promise<URL | undefined>;
  /** Waits for so many milliseconds, or until the network is back. */
  pause: (milliseconds: number) => Promise<void>;
  /** Nothing can load: the passes have ended, and there is no connection for new ones. */
  waiting?: () => void;
  /** The lecture was replaced: its playlists have other names now. */
  replaced?: () => void;
  /** Aborts when the player is gone or refused. Nothing is asked for any more. */
  signal?: AbortSignal;
}

class Refused extends Error {
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    super(problem.title ?? String(status));
    this.status = status;
    this.problem = problem;
  }
}

export class Renewal {
  #link: URL;
  readonly #context: RenewalContext;
  /** The newest URL of each object, by the URL without its pass. */
  readonly #newest = new Map<string, string>();
  /** Media Playlists that the player has loaded. */
  readonly #playlists = new Set<string>();
  #session: string | undefined;
  /** Milliseconds by which the edge's clock is ahead of this one. */
  #skew = 0;
  /** Milliseconds since 1970, by the edge's clock: when to renew, and the end of the passes. */
  #due = Infinity;
  #end = Infinity;
  #tried = -Infinity;
  #refusal: Problem | undefined;
  /** The URL of the steering manifest, which a strict link's Multivariant Playlist names. */
  #steering: string | undefined;
  #attempt: Promise<boolean> | undefined;
  #waiting: Promise<void> | undefined;

  constructor(link: URL, context: RenewalContext, session?: string) {
    this.#link = link;
    this.#context = context;
    this.#session = session;
  }

  /** The session that the edge gave to this player. */
  get session(): string | undefined {
    return this.#session;
  }

  /** The link, which may be newer than the one that opened the page. */
  get link(): URL {
    return this.#link;
  }

  /** The reason why the link opens nothing any more. */
  get refusal(): Problem | undefined {
    return this.#refusal;
  }

  /** Opens the lecture as a new player from now on. */
  forgetSession(): void {
    this.#session = undefined;
  }

  /** The URL that opens the lecture, with this player's session. */
  opening(): string {
    const link = new URL(this.#link);
    if (this.#session) link.searchParams.set("session", this.#session);
    return link.href;
  }

  /** The URL to load in place of `url`: the same object with its newest pass. */
  newest(url: string): string {
    return this.#newest.get(withoutPass(url)) ?? url;
  }

  /** Renews passes that are due. Only the end of the passes makes it worth waiting for. */
  fresh(): Promise<void> | undefined {
    const now = this.#now();
    if (now < this.#due || this.#refusal) return undefined;
    if (now >= this.#end) {
      this.#waiting ??= this.#untilRenewed().finally(() => (this.#waiting = undefined));
      return this.#waiting;
    }
    if (now >= this.#tried + RETRY_MS) void this.#renewOnce();
    return undefined;
  }

  /** Takes notice of an answer. The Multivariant Playlist's passes say when to renew. */
  loaded(url: string, text: unknown, headers: AnswerHeaders): void {
    if (typeof text !== "string" || !text.startsWith("#EXTM3U")) return;
    if (new URL(url).searchParams.has("p")) {
      this.#playlists.add(withoutPass(url));
    } else {
      const [, steering] = STEERING.exec(text) ?? [];
      if (steering && URL.canParse(steering, url))
        this.#steering = this.#own(new URL(steering, url));
      this.#opened(listed(text, url), headers);
    }
  }

  /** Asks the course app for a new link. Returns whether it gave one for the same lecture. */
  async replaceLink(): Promise<boolean> {
    const link = await this.#context.ask?.();
    const { pathname, origin } = this.#link;
    if (!link || link.pathname !== pathname || link.origin !== origin) return false;
    this.#link = link;
    this.#refusal = undefined;
    return true;
  }

  /** Returns whether the link opens nothing any more, by its claims. */
  isOver(): boolean {
    return (claimsOf(this.#link).exp ?? Infinity) * 1000 < this.#now();
  }

  /** The URL, if it is the edge's. */
  #own(url: URL): string | undefined {
    return url.origin === this.#link.origin ? url.href : undefined;
  }

  /** Milliseconds since 1970, by the edge's clock. */
  #now(): number {
    return this.#context.now() + this.#skew;
  }

  /** Returns whether passes have ended, so that the next load waits for new ones. */
  haveEnded(): boolean {
    return this.#now() >= this.#end;
  }

  #opened(urls: string[], headers: AnswerHeaders): void {
    this.#session = headers.get("lectern-session") ?? this.#session;
    this.#refusal = undefined;
    const date = Date.parse(headers.get("date") ?? "");
    if (!Number.isNaN(date)) this.#skew = date - this.#context.now();
    const own = urls.filter((url) => new URL(url).origin === this.#link.origin);
    const ends = own.map(passEnd).filter((end) => end !== undefined);
    if (ends.length === 0) return;
    this.#end = Math.min(...ends) * 1000;
    const began = this.#now();
    this.#due = began + (this.#end - began) * RENEW_AT;
  }

  /** The passes have ended, so nothing loads before they are renewed or the link is refused. */
  async #untilRenewed(): Promise<void> {
    const { signal, waiting, pause } = this.#context;
    while (!(await this.#renewOnce()) && !this.#refusal) {
      if (!signal?.aborted) waiting?.();
      if (!signal?.aborted) await pause(RETRY_MS);
      // What waits is to load nothing.
      if (signal?.aborted) return new Promise(() => {});
    }
  }

  /** Returns whether the passes are renewed. Only one renewal runs at a time. */
  #renewOnce(): Promise<boolean> {
    this.#tried = this.#now();
    this.#attempt ??= this.#renew()
      .then(() => true)
      .catch((error: unknown) => {
        if (!(error instanceof Refused) || !FINAL.has(error.status)) return false;
        // The course app may give a link later, while the passes last.
        const isExpired = error.problem.code === "expired";
        const isEarly = isExpired && this.#context.ask && this.#now() < this.#end;
        if (!isEarly) this.#refusal = error.problem;
        return false;
      })
      .finally(() => (this.#attempt = undefined));
    return this.#attempt;
  }

  async #renew(): Promise<void> {
    const [opened, headers] = await this.#openLink();
    const playlists = opened.filter((url) => this.#playlists.has(withoutPass(url)));
    const isReplaced = this.#playlists.size > 0 && playlists.length === 0;
    if (isReplaced) {
      this.#playlists.clear();
      this.#newest.clear();
    }
    for (const url of opened) this.#newest.set(withoutPass(url), url);
    for (const url of playlists) {
      const [objects] = await this.#open(url);
      for (const object of objects) this.#newest.set(withoutPass(object), object);
    }
    this.#opened(opened, headers);
    if (isReplaced) this.#context.replaced?.();
  }

  /** Opens the lecture again: by its link, a new one, or a strict link's steering manifest. */
  async #openLink(): Promise<[string[], Headers]> {
    // Spares the edge a refusal, which it counts against the viewer's address.
    const isValid = !this.isOver() || (await this.replaceLink());
    if (!isValid && this.#steering) return this.#steer(this.#steering);
    if (!isValid && this.#now() < this.#end)
      throw new Error("the link has ended, and its passes have not");
    try {
      return await this.#open(this.opening(), this.#context.headers);
    } catch (error) {
      const isExpired = error instanceof Refused && error.problem.code === "expired";
      // Without a valid link, the course app has just been asked.
      if (!isExpired || !isValid || !(await this.replaceLink())) throw error;
      return this.#open(this.opening(), this.#context.headers);
    }
  }

  /**
   * Gets the playlists' newest URLs from the steering manifest (RFC 8216bis §7), which lasts for
   * the link's `watch`.
   */
  async #steer(url: string): Promise<[string[], Headers]> {
    const { headers } = this.#context;
    const answer = await this.#context.fetch(url, { cache: "no-store", headers });
    if (!answer.ok) await refuse(answer);
    const manifest: { "PATHWAY-CLONES"?: PathwayClone[] } = await answer.json();
    const uris = (manifest["PATHWAY-CLONES"] ?? []).flatMap(({ "URI-REPLACEMENT": uris }) => [
      uris["PER-VARIANT-URIS"],
      uris["PER-RENDITION-URIS"],
    ]);
    const urls = uris.flatMap((byId) => Object.values(byId ?? {}));
    if (urls.length === 0) throw new Error("the steering manifest clones nothing yet");
    return [urls, answer.headers];
  }

  async #open(url: string, headers: Record<string, string> = {}): Promise<[string[], Headers]> {
    const answer = await this.#context.fetch(url, { cache: "no-store", headers });
    if (!answer.ok) await refuse(answer);
    const playlist = await answer.text();
    if (!playlist.startsWith("#EXTM3U")) throw new Error("not a playlist");
    return [listed(playlist, url), answer.headers];
  }
}

/** Throws the edge's refusal. */
async function refuse(answer: Response): Promise<never> {
  const problem = await problemIn(answer);
  // Without a connection, the service worker answers in the edge's place.
  const isFromEdge = problem?.code !== COPY_ENDED;
  if (problem && isFromEdge) throw new Refused(answer.status, problem);
  throw new Error(`status ${answer.status} without a reason`);
}

function withoutPass(url: string): string {
  const bare = new URL(url);
  bare.searchParams.delete("p");
  return bare.href;
}
