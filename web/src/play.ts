// The player page: `/_lectern/play#/courses/…/master.m3u8?token=…`. The link is in the fragment,
// which browsers never send, so that no server log contains it. `?t=12:34` names the second to
// start at, `?lang=de` a language.
import { LecternVideo } from "./element/lectern-video.ts";
import { EMBEDDER_HEADER, askForLink, embedders } from "./embedding.ts";
import { isAllowed, parseLink } from "./engine.ts";
import { languageOf } from "./texts/index.ts";
import { parseTime } from "./time.ts";
import { talk } from "./messages.ts";

const player = document.querySelector<LecternVideo>("lectern-video")!;
const query = new URLSearchParams(location.search);
document.documentElement.lang = player.lang = languageOf(query.get("lang") ?? navigator.language);

// Keys count wherever the focus is. The element handles those of its own.
addEventListener("keydown", (event) => {
  if (!event.composedPath().includes(player)) player.handleKey(event);
});
addEventListener("hashchange", () => location.reload());

const link = parseLink(location.hash.slice(1));
if (!link) player.refuse({ code: "no_link" });
else if (!isAllowed(link)) player.refuse({ code: "other_site" });
else void open(link);

async function open(link: URL): Promise<void> {
  const pages = await embedders();
  const nearest = pages[0];
  const headers: Record<string, string> =
    pages.length > 0 ? { [EMBEDDER_HEADER]: pages.join(", ") } : {};
  const ask = nearest === undefined ? undefined : () => newLink(nearest);
  if (nearest !== undefined) talk(player, nearest);
  player.open(link, { headers, ask, start: parseTime(query.get("t")) });
}

/** Asks the nearest page for a new link. */
async function newLink(page: string): Promise<URL | undefined> {
  const link = parseLink(await askForLink(page));
  return link && isAllowed(link) ? link : undefined;
}
