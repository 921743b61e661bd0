// A script for pages that embed the player page in an `<iframe>`. It says which page that is, so
// that links with `origin` open, and fetches a new link when one ends:
// `<iframe src="https://edge/_lectern/play#LINK" data-renew-url="/lessons/5/link">`.
import { fetchLink, HELLO, HERE, LINK, RENEW } from "./embedding";

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
    if (renewUrl) void fetchLink(renewUrl).then((link) => reply({ type: LINK, link }));
    // The player then says at once that its link has ended.
    else reply({ type: LINK });
  }
});
