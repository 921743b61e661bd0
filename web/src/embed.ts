// A script for pages that embed the player page in an `<iframe>`. It says which page that is, so
// that links with `origin` open, and fetches a new link when one ends:
// `<iframe src="https://edge/_lectern/play#LINK" data-renew-url="/lessons/5/link">`.
import { HELLO, HERE, LINK, LINK_WITHIN_MS, RENEW } from "./embedding";

const edge = new URL((document.currentScript as HTMLScriptElement).src).origin;

addEventListener("message", (event: MessageEvent) => {
  if (event.origin !== edge || !event.source) return;
  const reply = (message: object): void =>
    event.source?.postMessage(message, { targetOrigin: edge });
  if (event.data?.type === HELLO) {
    reply({ type: HERE });
  } else if (event.data?.type === RENEW) {
    const frames = [...document.querySelectorAll("iframe")];
    const player = frames.find((frame) => frame.contentWindow === event.source);
    const renewUrl = player?.dataset.renewUrl;
    if (renewUrl) void newLink(renewUrl).then((link) => reply({ type: LINK, link }));
    // The player then says at once that its link has ended.
    else reply({ type: LINK });
  }
});

/** The link that the course app gives: `{"link":"https://…"}`. */
async function newLink(url: string): Promise<string | undefined> {
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
