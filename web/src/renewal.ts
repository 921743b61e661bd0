// Renews passes before they end. A pass opens one object for the link's `watch`; the link gives new
// ones while it is valid. A player keeps the URLs that it has, so the loader replaces them. Nothing
// runs by a timer: a page that loads nothing asks for nothing, and one that slept renews when it
// wakes.

/** The share of a pass's life after which it is renewed. */
const RENEW_AT = 0.6;
/** The wait after a failed renewal, in milliseconds. */
const RETRY_MS = 5_000;
const URI = /URI="([^"]+)"|^(?!#)\S.*$/gm;

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

export class Renewal {
  readonly #link: URL;
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
  /** The link opens nothing any more. */
  #isOver = false;
  #tried = -Infinity;
  #renewing: Promise<void> | undefined;

  constructor(link: URL, session?: string) {
    this.#link = link;
    this.#session = session;
  }

  /** The session that the edge gave to this player. */
  get session(): string | undefined {
    return this.#session;
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
  fresh(now: number = Date.now()): Promise<void> | undefined {
    now += this.#skew;
    if (now < this.#due || this.#isOver) return undefined;
    if (!this.#renewing && now >= this.#tried + RETRY_MS) {
      this.#tried = now;
      // Offline: the passes go on until they end.
      this.#renewing = this.#renew()
        .catch(() => {})
        .finally(() => (this.#renewing = undefined));
    }
    return now >= this.#end ? this.#renewing : undefined;
  }

  /** Takes notice of an answer. The Multivariant Playlist's passes say when to renew. */
  loaded(url: string, text: unknown, headers: AnswerHeaders, now: number = Date.now()): void {
    if (typeof text !== "string" || !text.startsWith("#EXTM3U")) return;
    if (new URL(url).searchParams.has("p")) {
      this.#playlists.add(withoutPass(url));
    } else {
      this.#opened(listed(text, url), headers, now);
    }
  }

  #opened(urls: string[], headers: AnswerHeaders, now: number): void {
    this.#session = headers.get("lectern-session") ?? this.#session;
    const date = Date.parse(headers.get("date") ?? "");
    if (!Number.isNaN(date)) this.#skew = date - now;
    const own = urls.filter((url) => new URL(url).origin === this.#link.origin);
    const ends = own.map(passEnd).filter((end) => end !== undefined);
    if (ends.length === 0) return;
    this.#end = Math.min(...ends) * 1000;
    const began = now + this.#skew;
    this.#due = began + (this.#end - began) * RENEW_AT;
  }

  async #renew(): Promise<void> {
    const [opened, headers] = await this.#open(this.opening());
    for (const url of opened) this.#newest.set(withoutPass(url), url);
    for (const url of opened.filter((url) => this.#playlists.has(withoutPass(url)))) {
      const [objects] = await this.#open(url);
      for (const object of objects) this.#newest.set(withoutPass(object), object);
    }
    this.#opened(opened, headers, Date.now());
  }

  async #open(url: string): Promise<[string[], Headers]> {
    const answer = await fetch(url, { cache: "no-store" });
    if (answer.status >= 400 && answer.status < 500) this.#isOver = true;
    if (!answer.ok) throw new Error(String(answer.status));
    return [listed(await answer.text(), url), answer.headers];
  }
}

function withoutPass(url: string): string {
  const bare = new URL(url);
  bare.searchParams.delete("p");
  return bare.href;
}
