// Messages between the player page and the page that embeds it.
import type { LecternVideo } from "./element/lectern-video.ts";

/** Events of the element that the embedding page gets as messages of the same names. */
const EVENTS = [
  "lectern:ready",
  "lectern:play",
  "lectern:progress",
  "lectern:ended",
  "lectern:error",
];

/**
 * Sends the player's events to the page around it, and seeks when that page asks for it. Events
 * wait until the page's origin is known.
 */
export function relayMessages(player: LecternVideo, page: Promise<string | undefined>): void {
  // A page without an origin cannot be addressed.
  const addressed = page.then((origin) => (/^https?:/.test(origin ?? "") ? origin : undefined));
  for (const type of EVENTS) {
    player.addEventListener(type, async (event) => {
      const message = { type, ...(event as CustomEvent<object>).detail };
      const origin = await addressed;
      if (origin) parent.postMessage(message, origin);
    });
  }
  addEventListener("message", async ({ data, origin, source }: MessageEvent) => {
    if (source !== parent || data?.type !== "lectern:seek") return;
    const { seconds } = data;
    if (origin === (await addressed) && Number.isFinite(seconds)) player.seek(seconds);
  });
}
