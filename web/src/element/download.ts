// Files that the viewer keeps.
import { downloadName } from "../names.ts";
import type { LecternVideo } from "./lectern-video.ts";

/** The longest wait for an answer, in milliseconds. */
const ANSWERED_WITHIN_MS = 10_000;

/** Saves a text as a file. */
export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "text/markdown;charset=utf-8" }));
  click(url, name.replaceAll(/[\\/:*?"<>|]/g, " "));
  setTimeout(() => URL.revokeObjectURL(url), ANSWERED_WITHIN_MS);
}

/** Downloads the lecture, or says why not. */
export async function downloadLecture(player: LecternVideo, file: URL): Promise<void> {
  try {
    const signal = AbortSignal.timeout(ANSWERED_WITHIN_MS);
    const answer = await fetch(file, { method: "HEAD", cache: "no-store", signal });
    if (answer.ok) {
      click(file.href, downloadName(file));
      player.notice(player.texts.download_begins);
    } else player.notice(player.texts.no_download);
  } catch {
    player.notice(player.texts.no_connection);
  }
}

function click(href: string, download: string): void {
  const link = Object.assign(document.createElement("a"), { href, download, rel: "noopener" });
  link.click();
}
