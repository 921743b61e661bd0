// The studio page: `/_lectern/studio#LINK` takes recordings, uploads them under an upload link, and
// follows their packaging. `?lang=de` chooses a language.
import { EDGE } from "../origins.ts";
import { fill, languageOf } from "../texts/index.ts";
import { studioTextsOf } from "../texts/studio/index.ts";
import { Card } from "./card.ts";
import { EdgeClient } from "./edge.ts";
import { decodePath, encodePath, parseUploadLink, type UploadLink } from "./fragment.ts";
import { type JobPage, type OpenableHandle, UploadJob } from "./job.ts";
import { Journal, type UploadJournal } from "./journal.ts";
import { MemoryJournal } from "./memory-journal.ts";
import { numberedName, objectNameOf } from "./object-name.ts";
import { TurnQueue } from "./slots.ts";
import { isWatchLinkOf } from "./status.ts";
import type { JobAction } from "./view.ts";

/** A file picker that returns handles, which the browser can open again (Chromium). */
type PickFiles = (options: { multiple: boolean }) => Promise<OpenableHandle[]>;

interface Picked {
  file: File;
  handle?: OpenableHandle | undefined;
}

/** The time after which the list forgets an upload that is stored, in milliseconds. */
const FORGET_MS = 7 * 86_400_000;

const language = languageOf(new URLSearchParams(location.search).get("lang") ?? navigator.language);
const texts = await studioTextsOf(language);
const find = <Found extends HTMLElement>(selector: string): Found =>
  document.querySelector<Found>(selector)!;
const [zone, input, list] = [
  find(".drop"),
  find<HTMLInputElement>("input[type=file]"),
  find(".uploads"),
];
const notice = find(".notice");
const said = find(".said");
/** The notice that stays. */
let standingNotice = "";
/** The state of each upload that a screen reader heard last. */
const lastSaid = new WeakMap<UploadJob, string>();
document.documentElement.lang = language;
document.title = find("h1").textContent = texts.title;

const parsed = parseUploadLink(location.hash, EDGE);
if (typeof parsed === "string") refuse(texts[parsed]);
else await open(parsed);

function refuse(text: string): void {
  zone.hidden = true;
  const alert = find("[role=alert]");
  alert.textContent = text;
  alert.hidden = false;
}

/** Says what happened to an upload. */
function say(job: UploadJob, text: string): void {
  said.textContent = `${job.facts.file}: ${text}`;
}

async function openJournal(): Promise<UploadJournal> {
  try {
    return await Journal.open();
  } catch {
    notice.textContent = standingNotice = texts.no_journal;
    return new MemoryJournal();
  }
}

async function open(first: UploadLink): Promise<void> {
  let link = first;
  const cards = new Map<UploadJob, Card>();
  const journal = await openJournal();
  const page: JobPage = {
    client: new EdgeClient(link.token),
    journal,
    turns: new TurnQueue(),
    folder: link.folder,
    hints: () => link.hints,
    hasPath: (path, but) => [...cards.keys()].some((job) => job !== but && job.path === path),
    onChange: draw,
    onNotice: (job, text) => say(job, texts[text]),
    remove(job) {
      cards.get(job)?.element.remove();
      cards.delete(job);
      list.hidden = cards.size === 0;
    },
  };
  find(".folder").textContent = fill(texts.to_folder, { folder: decodePath(link.folder) });
  find(".drop p").textContent = texts.drop;
  find(".drop .hint").textContent = texts.drop_hint;
  find(".drop button").textContent = texts.choose;
  list.setAttribute("aria-label", texts.uploads);
  zone.hidden = false;

  // A new link to the same folder goes on with the uploads; another folder is another page.
  addEventListener("hashchange", () => {
    const next = parseUploadLink(location.hash, EDGE);
    if (typeof next === "string" || next.folder !== link.folder) return location.reload();
    link = next;
    page.client.token = next.token;
    for (const job of cards.keys()) {
      if (job.state.name === "link") job.resume();
      if (job.state.name === "blocked") void job.begin();
    }
  });

  for (const type of ["online", "offline"])
    addEventListener(type, () => cards.forEach((_, job) => job.showConnection()));

  function draw(job: UploadJob): void {
    const card = cards.get(job);
    if (!card) return;
    const lecture = job.state.name === "stored" ? job.state.packaging?.lecture : undefined;
    const isOurs = link.watch && isWatchLinkOf(link.watch, lecture, cards.size);
    const text = card.draw(isOurs ? link.watch : undefined);
    const { name } = job.state;
    // A screen reader hears changes of the state, and no percentages.
    if (name !== lastSaid.get(job)) say(job, text);
    lastSaid.set(job, name);
  }

  function show(job: UploadJob): void {
    const card = new Card(job, { tag: language, texts }, (action) => void act(job, action));
    cards.set(job, card);
    list.append(card.element);
    list.hidden = false;
    draw(job);
  }

  /** Adds files, or gives them to the uploads that wait for them. */
  async function add(picked: Picked[]): Promise<void> {
    if (picked.length > 0) notice.textContent = standingNotice;
    for (const { file, handle } of picked) {
      const waiting = [...cards.keys()].find((job) => job.awaits(file));
      if (waiting && (await waiting.offer(file, handle))) continue;
      if ([...cards.keys()].some((job) => job.has(file))) {
        notice.textContent = fill(texts.twice, { name: file.name });
        continue;
      }
      const job = new UploadJob(page, await freeName(file.name), file, handle);
      show(job);
      void job.begin();
    }
  }

  /** A name that no other upload of this browser has. The edge knows which objects exist. */
  async function freeName(fileName: string): Promise<string> {
    const base = objectNameOf(fileName);
    for (let number = 1; ; number += 1) {
      const name = number === 1 ? base : numberedName(base, number);
      const path = link.folder + encodePath(name);
      const isTaken = [...cards.keys()].some((job) => job.path === path);
      if (!isTaken && !(await journal.get(path))) return name;
    }
  }

  async function act(job: UploadJob, action: JobAction): Promise<void> {
    switch (action) {
      case "upload":
      case "upload_anyway":
        return job.start();
      case "leave_out":
        return job.remove();
      case "pause":
        return job.pause();
      case "resume":
      case "retry":
        return job.resume();
      case "cancel":
        return job.facts.sent > 0 ? job.ask(true) : job.cancel();
      case "discard":
        return job.cancel();
      case "keep":
        return job.ask(false);
      case "replace":
        return job.replace();
      case "new_name":
        return job.rename();
      case "open_file":
        return job.reopen(true);
      case "choose_again": {
        const [picked] = await pick(false);
        if (picked) await job.offer(picked.file, picked.handle);
        return;
      }
      case "dismiss":
        return job.dismiss();
    }
  }

  find(".drop button").addEventListener("click", async () => add(await pick(true)));
  for (const type of ["dragenter", "dragover"])
    addEventListener(type, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) zone.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    const hasFolders = [...(event.dataTransfer?.items ?? [])].some(isFolder);
    void dropped(event.dataTransfer)
      .then(add)
      .then(() => hasFolders && (notice.textContent = texts.no_folders));
  });

  for (const entry of await journal.list(link.folder)) {
    if (entry.isStored && Date.now() - entry.begun > FORGET_MS) await journal.remove(entry);
    else show(await UploadJob.resume(page, entry));
  }
  // A browser that remembers the permission asks nothing.
  for (const job of [...cards.keys()])
    if (job.state.name === "needs_file") await job.reopen(false);
}

/** Opens the browser's file picker. Returns nothing if the person closes it. */
async function pick(multiple: boolean): Promise<Picked[]> {
  const { showOpenFilePicker: pickFiles } = window as { showOpenFilePicker?: PickFiles };
  if (pickFiles) {
    try {
      const handles = await pickFiles({ multiple });
      return await Promise.all(
        handles.map(async (handle) => ({ file: await handle.getFile(), handle })),
      );
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return [];
      // A page in a frame of another site may not open this picker.
    }
  }
  return new Promise((resolve) => {
    input.multiple = multiple;
    input.value = "";
    input.onchange = () => resolve([...(input.files ?? [])].map((file) => ({ file })));
    input.oncancel = () => resolve([]);
    input.click();
  });
}

/** The files that were dropped. Handles must be asked for before the event ends. */
async function dropped(data: DataTransfer | null): Promise<Picked[]> {
  type Item = DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };
  const all = [...(data?.items ?? [])] as Item[];
  const items = all.filter((item) => item.kind === "file" && !isFolder(item));
  const asked = items.map((item) => ({
    file: item.getAsFile(),
    handle: item.getAsFileSystemHandle?.().catch(() => null),
  }));
  const picked: Picked[] = [];
  for (const { file, handle } of asked) {
    if (!file) continue;
    const opened = await handle;
    const isFile = opened?.kind === "file";
    picked.push({ file, handle: isFile ? (opened as OpenableHandle) : undefined });
  }
  return picked;
}

function isFolder(item: DataTransferItem): boolean {
  return item.webkitGetAsEntry()?.isDirectory ?? false;
}
