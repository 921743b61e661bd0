// The player page: `/_lectern/play#/courses/…/master.m3u8?token=…`. The link is in the fragment,
// which browsers never send, so that no server log contains it. `?t=12:34` names the second to
// start at, `?lang=de` a language.
import { LecternVideo } from "./element/lectern-video.ts";
import { EMBEDDER_HEADER, askForLink, embedders } from "./embedding.ts";
import { claimsOf } from "./link.ts";
import { relayMessages } from "./messages.ts";
import { lectureName } from "./names.ts";
import { isAllowed, parseLink } from "./origins.ts";
import { languageOf, textsOf } from "./texts/index.ts";
import { parseTime } from "./time.ts";

const player = document.querySelector<LecternVideo>("lectern-video")!;
const query = new URLSearchParams(location.search);
const language = languageOf(query.get("lang") ?? navigator.language);
document.documentElement.lang = player.lang = language;

// Keys count wherever the focus is. The element handles those of its own.
addEventListener("keydown", (event) => {
  if (!event.composedPath().includes(player)) player.handleKey(event);
});
addEventListener("hashchange", () => location.reload());

const link = parseLink(location.hash.slice(1));
const found = embedders();
relayMessages(player, found.then(([nearest]) => nearest));
void textsOf(language).then(({ lecture }) => setTitle(lecture));
if (!link) player.refuse({ code: "no_link" });
else if (!isAllowed(link)) player.refuse({ code: "other_site" });
else void open(link);

let isNamed = false;

/** Names the page. The name of a lecture stays. */
function setTitle(title: string, isLecture = false): void {
  if (isNamed && !isLecture) return;
  isNamed = isLecture;
  document.title = document.querySelector("h1")!.textContent = title;
}

async function open(link: URL): Promise<void> {
  const name = lectureName(link);
  // The edge has verified a link that opens. Others name nothing.
  if (name) player.addEventListener("lectern:ready", () => setTitle(name, true), { once: true });
  // Other links open at once: a page without the edge's script is waited for.
  const pages = claimsOf(link).origin ? await found : [];
  const headers: Record<string, string> =
    pages.length > 0 ? { [EMBEDDER_HEADER]: pages.join(", ") } : {};
  const ask = window === parent ? undefined : newLink;
  player.open(link, { headers, pages, ask, start: parseTime(query.get("t")) });
}

/** Asks the nearest page for a new link. */
async function newLink(): Promise<URL | undefined> {
  const link = parseLink(await askForLink());
  return link && isAllowed(link) ? link : undefined;
}
