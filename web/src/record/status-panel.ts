// The end of a recording: the link, and the sizes that are being prepared.
import { askAgainMs, readStatus } from "./packaging-status.ts";
import { element, type View } from "./view.ts";

const ASKED_MS = 15_000;

/** Shows the state of the packaging until nothing more is to come. */
export async function followPackaging(
  view: View,
  folder: string,
  token: () => string,
  signal: AbortSignal,
): Promise<void> {
  view.write("status", "status_waiting");
  let silent = 0;
  while (!signal.aborted) {
    const status = await ask(folder, token());
    silent = status ? 0 : silent + 1;
    if (status) {
      const { state, percent } = status;
      const rungs = status.rungs.join(", ");
      const isOver = state === "done" || state === "failed";
      if (state === "playing" && !rungs) view.write("status", "status_packaging");
      else if (state === "done" && !rungs) view.write("status", "status_done_plain");
      else view.write("status", `status_${state}`, { rungs });
      const bar = element<HTMLProgressElement>("status-progress");
      bar.hidden = isOver || state === "waiting";
      bar.value = percent;
      if (status.isFinal) return;
    }
    await new Promise((resolve) => setTimeout(resolve, askAgainMs(silent)));
  }
}

async function ask(folder: string, token: string): Promise<ReturnType<typeof readStatus>> {
  try {
    const answer = await fetch(`${folder}status.json`, {
      headers: { Authorization: `Bearer ${token}` },
      cache: "no-store",
      signal: AbortSignal.timeout(ASKED_MS),
    });
    return answer.ok ? readStatus(await answer.text()) : undefined;
  } catch {
    return undefined;
  }
}

/** Shows the link to watch, or the place where the course finds the recording. */
export function showWatch(view: View, watch: string | undefined, path: string): void {
  const field = element<HTMLInputElement>("watch-link");
  field.value = watch ?? "";
  element("watch-link").closest("label")!.hidden = watch === undefined;
  element("copy").hidden = watch === undefined;
  element("where").hidden = watch !== undefined;
  view.write("where", "where", { path });
  field.onfocus = () => field.select();
  element("copy").onclick = () => void copyLink(view, watch);
  view.show("watch");
}

export async function copyLink(view: View, watch: string | undefined): Promise<void> {
  if (!watch) return;
  try {
    await navigator.clipboard.writeText(watch);
    view.write("copy", "copied");
  } catch {
    view.notice("copy", "not_copied");
  }
}
