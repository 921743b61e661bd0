// The pages around the player page. A link with `origin` opens only inside the pages that it lists,
// so the page finds out who embeds it and names them to the edge. The nearest one can also give a
// new link when the link ends.

/** The request header that names the pages around this one, the nearest first. */
export const EMBEDDER_HEADER = "Lectern-Embedder";
/** Asks a page for its origin. It answers with `lectern:here`. */
export const HELLO = "lectern:hello";
export const HERE = "lectern:here";
/** Asks the nearest page for a new link. It answers with `lectern:link`. */
export const RENEW = "lectern:renew";
export const LINK = "lectern:link";

/** The origin of a page that does not say who it is. No link lists it. */
const UNKNOWN = "null";
const GREETING_MS = 250;
/** The longest wait for a page that still loads its script, in milliseconds. */
const GREETED_WITHIN_MS = 5_000;
/** The longest wait for a page that may give a new link, in milliseconds. */
const ASKED_WITHIN_MS = 1_000;
/** The longest wait for a new link, in milliseconds. */
const LINK_WITHIN_MS = 15_000;

/**
 * Origins of the pages that embed this one, the nearest first. Browsers name them, or the pages
 * themselves do.
 */
export async function embedders(): Promise<string[]> {
  const named = [...(location.ancestorOrigins ?? [])];
  const frames: Window[] = [];
  for (let frame: Window = window; frame !== frame.parent; frame = frame.parent)
    frames.push(frame.parent);
  const isNamed = (name: string | undefined): name is string => Boolean(name) && name !== UNKNOWN;
  const origin = (frame: Window, name: string | undefined): string | Promise<string> =>
    isNamed(name) ? name : greet(frame, GREETED_WITHIN_MS);
  return Promise.all(frames.map((frame, at) => origin(frame, named[at])));
}

async function greet(frame: Window, limit: number): Promise<string> {
  const hello = (): void => frame.postMessage({ type: HELLO }, "*");
  const greeting = setInterval(hello, GREETING_MS);
  const answer = answerOf(frame, HERE, limit);
  hello();
  const origin = (await answer)?.origin ?? UNKNOWN;
  clearInterval(greeting);
  return origin;
}

/** Asks the nearest page for a new link, if it answers a greeting: most pages listen to nothing. */
export async function askForLink(): Promise<string | undefined> {
  const origin = await greet(parent, ASKED_WITHIN_MS);
  if (origin === UNKNOWN) return undefined;
  const answer = answerOf(parent, LINK, LINK_WITHIN_MS);
  parent.postMessage({ type: RENEW }, origin);
  const message = await answer;
  const link: unknown = message?.origin === origin ? message.data.link : undefined;
  return typeof link === "string" ? link : undefined;
}

/** The link that the course app gives: `{"link":"https://…"}`. */
export async function fetchLink(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, {
      cache: "no-store",
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(LINK_WITHIN_MS),
    });
    const body: { link?: string } = await answer.json();
    if (answer.ok && body.link) return body.link;
    console.error(`Lectern: ${url} gave no new link (status ${answer.status}).`);
  } catch (error) {
    console.error(`Lectern: ${url} gave no new link:`, error);
  }
  return undefined;
}

/** The next message of this type from a window, if one comes in time. */
function answerOf(source: Window, type: string, limit: number): Promise<MessageEvent | undefined> {
  return new Promise((resolve) => {
    const end = (message?: MessageEvent): void => {
      removeEventListener("message", listen);
      clearTimeout(timer);
      resolve(message);
    };
    const listen = (message: MessageEvent): void => {
      if (message.source === source && message.data?.type === type) end(message);
    };
    const timer = setTimeout(end, limit);
    addEventListener("message", listen);
  });
}
