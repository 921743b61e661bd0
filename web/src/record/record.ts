// The recorder page: `/_lectern/record#/courses/live/7/?token=…&watch=…`. The upload link is in
// the fragment, which browsers never send. `?lang=de` names a language.
import { EDGE, isAllowed } from "../origins.ts";
import { languageOf } from "../texts/language.ts";
import { recordTextsOf } from "../texts/record/index.ts";
import { findObstacle } from "./capture.ts";
import { RecorderFlow } from "./flow.ts";
import { RecordingStore } from "./store.ts";
import { readUploadLink } from "./upload-link.ts";
import { View } from "./view.ts";

const language = languageOf(
  new URLSearchParams(location.search).get("lang") ?? navigator.language,
);
document.documentElement.lang = language;
const view = new View(await recordTextsOf(language));
await open();

async function open(): Promise<void> {
  const link = readUploadLink(location.hash.slice(1), EDGE, isAllowed, Date.now() / 1000);
  if (typeof link === "string") {
    addEventListener("hashchange", () => location.reload());
    return view.refuse(link);
  }
  const obstacle = await findObstacle();
  if (obstacle) return view.refuse(obstacle);
  const store = await RecordingStore.open().catch(() => undefined);
  if (!store) return view.refuse("no_store");
  // With an expired link, only an earlier recording is left to save.
  if (link.isExpired && !(await store.find(link.folder))) return view.refuse("expired");
  // The lock lasts as long as the page.
  await navigator.locks.request(
    `lectern record ${link.folder}`,
    { ifAvailable: true },
    async (lock) => {
      if (!lock) return view.refuse("other_tab");
      await new RecorderFlow(view, store, link).start();
      await new Promise(() => {});
    },
  );
}
