// The service worker of the player page. Without a connection, it answers with the page and with
// the lectures that the device keeps. web/src/offline.ts decides.
import { COPY_ENDED } from "./answer.ts";
import { claimsOf } from "./link.ts";
import { deleteEnded, listed } from "./kept.ts";
import {
  type Answer,
  answerTo,
  type Asked,
  cacheOf,
  endOf,
  isAnswered,
  type Kept,
  PAGE,
  rangeOf,
  SHELL,
} from "./offline.ts";

/** The page's files. web/build.mjs writes their names here, so that a new page is a new worker. */
declare const PAGE_FILES: readonly string[];

/** The part of ServiceWorkerGlobalScope that counts here. TypeScript has no types for both. */
interface LifetimeEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface RequestEvent extends LifetimeEvent {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface WorkerScope {
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: LifetimeEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: RequestEvent) => void): void;
}

const scope = globalThis as unknown as WorkerScope;
/** The wait for the page before the device's own is good enough, in milliseconds. */
const PAGE_WITHIN_MS = 3_000;
const ANY = { ignoreSearch: true, ignoreVary: true };

scope.addEventListener("install", (event) => event.waitUntil(keepPage()));
scope.addEventListener("activate", (event) => event.waitUntil(begin()));
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  const asked = askedOf(request, url);
  if (isAnswered(asked)) event.respondWith(answer(request, asked));
});

async function keepPage(): Promise<void> {
  const cache = await caches.open(SHELL);
  const had = (await cache.keys()).map(({ url }) => new URL(url).pathname);
  const wanted = PAGE_FILES.filter((file) => file === PAGE || !had.includes(file));
  await cache.addAll(wanted.map((file) => new Request(file, { cache: "no-cache" })));
}

async function begin(): Promise<void> {
  const cache = await caches.open(SHELL);
  for (const { url } of await cache.keys())
    if (!PAGE_FILES.includes(new URL(url).pathname)) await cache.delete(url);
  await scope.clients.claim();
}

function askedOf(request: Request, url: URL): Asked {
  const hasLink = url.searchParams.has("token");
  return {
    method: request.method,
    isPage: request.mode === "navigate",
    isReload: request.cache === "reload",
    path: url.pathname,
    hasLink,
    sub: (hasLink && claimsOf(url).sub) || "",
    hasPass: url.searchParams.has("p"),
  };
}

async function answer(request: Request, asked: Asked): Promise<Response> {
  const now = Date.now();
  const list = await listed().catch(() => []);
  const found = answerTo(asked, list, now);
  await deleteEnded(list, now).catch(() => {});
  return answerFrom(found, request);
}

async function answerFrom(found: Answer, request: Request): Promise<Response> {
  switch (found.from) {
    case "network":
      return fetch(request);
    case "page":
      return page(request);
    case "assets":
      return (await fromCache(SHELL, request)) ?? fetch(request);
    case "lecture":
      return (await lecture(found.kept, found.isOpening, request)) ?? fetch(request);
    case "edge":
      return fetch(request).catch(() => refusal());
    case "refusal":
      return refusal();
  }
}

/** The page of the edge, which may be newer. */
async function page(request: Request): Promise<Response> {
  const kept = await fromCache(SHELL, new Request(PAGE));
  if (!kept) return fetch(request);
  const late = new Promise<Response>((resolve) => setTimeout(resolve, PAGE_WITHIN_MS, kept));
  const loaded = fetch(request).catch(() => kept);
  return Promise.race([loaded, late]);
}

async function lecture(
  kept: Kept,
  isOpening: boolean,
  request: Request,
): Promise<Response | undefined> {
  const found = await fromCache(cacheOf(kept), request);
  if (!found) return undefined;
  const headers = new Headers(found.headers);
  if (isOpening) headers.set("Lectern-Kept", new Date(endOf(kept)).toISOString());
  const file = await found.blob();
  const range = rangeOf(request.headers.get("range"), file.size);
  if (!range) return new Response(file, { headers });
  const [first, last] = range;
  headers.set("Content-Range", `bytes ${first}-${last}/${file.size}`);
  headers.set("Content-Length", String(last - first + 1));
  return new Response(file.slice(first, last + 1), { status: 206, headers });
}

async function fromCache(name: string, request: Request): Promise<Response | undefined> {
  const { origin, pathname } = new URL(request.url);
  const cache = (await caches.has(name)) ? await caches.open(name) : undefined;
  return cache?.match(origin + pathname, ANY);
}

/** The refusal after the end, in the form of the edge's (RFC 9457). */
function refusal(): Response {
  const title = "The time for the copy on this device is over";
  const problem = { title, status: 403, code: COPY_ENDED };
  const headers = { "Content-Type": "application/problem+json" };
  return new Response(JSON.stringify(problem), { status: 403, headers });
}
