// The panel with which a viewer keeps the lecture on the device.
import { type DeviceRung, keeperOf, type KeepState, rungsOf, wantedHeight } from "../keeper.ts";
import { claimsOf } from "../link.ts";
import { lectureName } from "../names.ts";
import { endOf, estimatedBytes, formatBytes, formatSpan, type Kept } from "../offline.ts";
import { fill } from "../texts/index.ts";
import { keepTextsOf } from "../texts/keep/index.ts";
import { make } from "./dom.ts";
import style from "./keep-panel.css";
import type { PanelContent, PanelHost } from "./panel.ts";

const sheet = new CSSStyleSheet();
sheet.replaceSync(style);

export async function keepPanel({ player, texts }: PanelHost): Promise<PanelContent> {
  const { engine, video, language } = player;
  if (!engine?.hls) return { nodes: [] };
  const keepTexts = await keepTextsOf(language);
  const root = player.shadowRoot!;
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
  const keeper = keeperOf(engine);
  const rungs = rungsOf(engine.hls);
  const wanted = wantedHeight(engine.hls);
  let rung = rungs.find(({ height }) => height === wanted) ?? rungs.at(-1);
  let free: number | undefined;
  let isReplaced = false;
  let shown: KeepState | undefined;

  const status = make("p", { class: "status", role: "status" });
  const body = make("div", { class: "keep-body" });
  const bytes = (count: number): string => formatBytes(count, language);
  const sizeOf = ({ bandwidth, tracks }: DeviceRung): number =>
    estimatedBytes(bandwidth, video.duration || 0, tracks);
  const button = (text: string, kind: string, act: () => void): HTMLButtonElement => {
    const made = make("button", { type: "button", class: kind }, text);
    made.addEventListener("click", act);
    return made;
  };
  const keep = (chosen = rung): void => void (chosen && keeper.keep(chosen));
  const again = (kept?: Kept) => () => keep(rungs.find(({ height }) => height === kept?.height));
  const remove = (): HTMLElement =>
    button(keepTexts.remove, "pill quiet", () => void keeper.remove());

  /** The qualities with their sizes, and the space that is left. */
  const choices = (): HTMLElement[] => {
    const space = make("p", { class: "hint" });
    const go = button(texts.keep, "pill", () => keep());
    const showSpace = (): void => {
      const size = rung ? sizeOf(rung) : 0;
      const isTooLarge = free !== undefined && size > free;
      const sizes = { size: bytes(size), free: bytes(free ?? 0) };
      const text = fill(free === undefined ? keepTexts.size : keepTexts.space, sizes);
      space.textContent = isTooLarge ? `${text} ${keepTexts.full}` : text;
      go.disabled = isTooLarge || !rung;
    };
    const chips = rungs.map((offered) => {
      const id = `keep-${offered.height}`;
      const input = make("input", { type: "radio", name: "keep", id });
      input.checked = offered === rung;
      input.addEventListener("change", () => {
        rung = offered;
        showSpace();
      });
      const text = `${offered.height}p · ${bytes(sizeOf(offered))}`;
      return make("label", {}, input, make("span", {}, text));
    });
    const group = make("fieldset", {}, make("legend", {}, texts.quality));
    group.append(make("div", { class: "chips" }, ...chips));
    showSpace();
    return [group, space, go];
  };
  const bar = make("progress", { max: "1", "aria-label": texts.keep });
  const loaded = make("p", { class: "hint" });

  const statusText = ({ kind, kept, problem }: KeepState): string => {
    if (problem) return keepTexts[problem];
    if (kind === "kept" && kept) {
      const time = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
      const size = bytes(kept.bytes);
      return fill(keepTexts.kept, { height: kept.height, size, time: time.format(endOf(kept)) });
    }
    const span = formatSpan(claimsOf(engine.link).offline ?? 0, language);
    return kind === "loading" ? "" : fill(keepTexts.hint, { span });
  };
  const nodesOf = ({ kind, kept }: KeepState): HTMLElement[] => {
    switch (kind) {
      case "none":
        return choices();
      case "loading":
        return [bar, loaded, button(keepTexts.cancel, "pill quiet", () => keeper.stop())];
      case "stopped":
        return [loaded, button(keepTexts.continue, "pill", again(kept)), remove()];
      case "kept": {
        const page = make("p", { class: "hint" }, keepTexts.page);
        if (!isReplaced) return [page, remove()];
        const newer = make("p", { class: "hint" }, keepTexts.newer);
        return [page, newer, button(keepTexts.replace, "pill", again(kept)), remove()];
      }
    }
  };
  const show = (): void => {
    const { state } = keeper;
    bar.value = state.share;
    const percent = Math.floor(state.share * 100);
    const text = state.kind === "stopped" ? keepTexts.part : keepTexts.progress;
    loaded.textContent = fill(text, { percent, size: bytes(state.bytes) });
    loaded.hidden = state.kind === "stopped" && state.bytes === 0;
    const isSame = state.kind === shown?.kind && state.problem === shown.problem;
    const hasFinished = shown?.kind === "loading" && state.kind === "kept";
    shown = state;
    if (isSame) return;
    if (hasFinished) {
      isReplaced = false;
      const name = lectureName(engine.link) ?? texts.lecture;
      player.notice(fill(keepTexts.done, { name }));
    }
    status.textContent = statusText(state);
    // The button that had the focus is gone.
    const hadFocus = body.contains(root.activeElement);
    body.replaceChildren(...nodesOf(state));
    if (hadFocus) body.querySelector<HTMLElement>("button:not(:disabled), input")?.focus();
  };
  keeper.changed = show;
  await keeper.read();
  free = await freeBytes();
  shown = undefined;
  show();
  void keeper.isReplaced().then((is) => {
    if (!is) return;
    isReplaced = true;
    shown = undefined;
    show();
  });
  return {
    nodes: [status, body],
    first: body.querySelector<HTMLElement>("input:checked, button:not(:disabled)") ?? undefined,
    closed: () => (keeper.changed = undefined),
  };
}

/** The bytes that the browser lets this site still keep, if it says so. */
async function freeBytes(): Promise<number | undefined> {
  try {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined ? undefined : Math.max(0, quota - (usage ?? 0));
  } catch {
    return undefined;
  }
}
