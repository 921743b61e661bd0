// The list of lectures that the device keeps, and their files, in the browser's Cache Storage.
import {
  cacheOf,
  ended,
  isForgotten,
  isLectureCache,
  type Kept,
  LIST,
  parseKept,
} from "./offline.ts";

/** The URL of a list's entry. No server has it. */
function entryOf({ path, sub }: Pick<Kept, "path" | "sub">): string {
  return `/_lectern/kept?${new URLSearchParams({ path, sub })}`;
}

export async function listed(): Promise<Kept[]> {
  if (!(await caches.has(LIST))) return [];
  const cache = await caches.open(LIST);
  const answers = await cache.matchAll();
  const entries = await Promise.all(answers.map((answer) => answer.json().catch(() => undefined)));
  return entries.map(parseKept).filter((kept) => kept !== undefined);
}

/** The entry of a lecture and its viewer. */
export async function keptOf(path: string, sub: string): Promise<Kept | undefined> {
  return (await listed()).find((kept) => kept.path === path && kept.sub === sub);
}

export async function list(kept: Kept): Promise<void> {
  const cache = await caches.open(LIST);
  await cache.put(entryOf(kept), Response.json(kept));
}

/** Deletes a lecture's files, but those of the revision `but`. */
export async function deleteFiles(
  { path, sub }: Pick<Kept, "path" | "sub">,
  but?: Kept,
): Promise<void> {
  const beginning = cacheOf({ path, sub, playlist: "" }).replace(/""\]$/, "");
  const stays = but && cacheOf(but);
  for (const name of await caches.keys()) {
    if (isLectureCache(name) && name.startsWith(beginning) && name !== stays)
      await caches.delete(name);
  }
}

/** Forgets a lecture. */
export async function forget(kept: Pick<Kept, "path" | "sub">): Promise<void> {
  const cache = await caches.open(LIST);
  await cache.delete(entryOf(kept));
  await deleteFiles(kept);
}

/** Deletes the files of lectures whose time has ended. Their entries say so for a while. */
export async function deleteEnded(all: readonly Kept[], now: number): Promise<void> {
  for (const kept of ended(all, now)) {
    if (isForgotten(kept, now)) await forget(kept);
    else {
      await list({ ...kept, state: "over" });
      await deleteFiles(kept);
    }
  }
}
