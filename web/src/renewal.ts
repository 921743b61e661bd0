// Renews passes before they end. A pass opens one object for the link's `watch`; the link gives new
// ones while it is valid. Players keep the URLs that they have, so the loader replaces them.

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
  const uris = [...playlist.matchAll(URI)].map(([line, uri]) => uri ?? line);
  return uris.map((uri) => new URL(uri.trim(), base).href);
}

export class Renewal {
  readonly #link: URL;
  /** The newest URL of each object, by the URL without its pass. */
  readonly #newest = new Map<string, string>();
  /** Media Playlists that the player has loaded. */
  readonly #playlists = new Set<string>();
  #session: string | undefined;
  #timer = 0;

  constructor(link: URL) {
    this.#link = link;
  }

  /** The URL to load in place of `url`: the same object with its newest pass. */
  newest(url: string): string {
    return this.#newest.get(withoutPass(url)) ?? url;
  }

  /** Takes notice of an answer. The Multivariant Playlist's passes say when to renew. */
  loaded(url: string, text: unknown, session: string | null): void {
    if (typeof text !== "string" || !text.startsWith("#EXTM3U")) return;
    if (session) this.#session = session;
    if (new URL(url).searchParams.has("p")) this.#playlists.add(withoutPass(url));
    else this.#schedule(listed(text, url));
  }

  #schedule(urls: string[]): void {
    const ends = urls.map(passEnd).filter((end) => end !== undefined);
    if (ends.length === 0) return;
    const left = Math.min(...ends) * 1000 - Date.now();
    this.#wait(Math.max(left * RENEW_AT, 1_000));
  }

  #wait(milliseconds: number): void {
    clearTimeout(this.#timer);
    // A timer counts 32 bits.
    this.#timer = window.setTimeout(() => void this.#renew(), Math.min(milliseconds, 2 ** 31 - 1));
  }

  async #renew(): Promise<void> {
    try {
      const link = new URL(this.#link);
      if (this.#session) link.searchParams.set("session", this.#session);
      const opened = await this.#open(link.href);
      for (const url of opened) this.#newest.set(withoutPass(url), url);
      for (const url of opened.filter((url) => this.#playlists.has(withoutPass(url)))) {
        for (const object of await this.#open(url)) this.#newest.set(withoutPass(object), object);
      }
      this.#schedule(opened);
    } catch {
      // Offline, or the link is over: passes go on until they end.
      this.#wait(RETRY_MS);
    }
  }

  async #open(url: string): Promise<string[]> {
    const answer = await fetch(url, { cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    return listed(await answer.text(), url);
  }
}

function withoutPass(url: string): string {
  const bare = new URL(url);
  bare.searchParams.delete("p");
  return bare.href;
}
