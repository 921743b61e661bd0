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

/** Sends the player's events to a page of this origin, and seeks when it asks for that. */
export function talk(player: LecternVideo, origin: string): void {
  // A page without an origin cannot be addressed.
  if (!/^https?:/.test(origin)) return;
  for (const type of EVENTS) {
    player.addEventListener(type, (event) => {
      parent.postMessage({ type, ...(event as CustomEvent<object>).detail }, origin);
    });
  }
  addEventListener("message", (event: MessageEvent) => {
    if (event.origin !== origin || event.source !== parent) return;
    const message: { type?: unknown; seconds?: unknown } | null = event.data;
    if (message?.type === "lectern:seek" && typeof message.seconds === "number")
      player.seek(message.seconds);
  });
}
