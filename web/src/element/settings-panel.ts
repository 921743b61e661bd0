// The panel with qualities, speeds, captions and their style, audio tracks and switches.
import { CAPTION_STYLES } from "../caption-style.ts";
import { SPEEDS } from "../keys.ts";
import { keepSettings, settings } from "../memory.ts";
import { fill, formatNumber, type TextKey } from "../texts/index.ts";
import { make } from "./dom.ts";
import type { PanelContent, PanelHost } from "./panel.ts";

type Choice<Value> = [name: string, value: Value];
type StylePart = keyof typeof CAPTION_STYLES;

export function settingsPanel(host: PanelHost): PanelContent {
  const content = make("div");
  const fold = captionStyleFold(host);
  const show = (): void => {
    const focused = focusedId(content);
    content.replaceChildren(...groups(host, fold));
    if (focused) content.querySelector<HTMLElement>(`#${CSS.escape(focused)}`)?.focus();
  };
  show();
  return { nodes: [content], update: show };
}

function focusedId(content: HTMLElement): string | undefined {
  const root = content.getRootNode();
  const focused = root instanceof ShadowRoot ? root.activeElement : null;
  return focused && content.contains(focused) ? focused.id : undefined;
}

function groups({ player, texts }: PanelHost, fold: HTMLElement): HTMLElement[] {
  const { captions, engine, video } = player;
  const made: HTMLElement[] = [];
  const choices = engine?.choices;
  const qualities = choices?.qualities() ?? [];
  if (choices && qualities.length > 1) {
    const { quality, lines: height } = choices;
    const auto = quality < 0 && height > 0 ? fill(texts.auto_at, { height }) : texts.auto;
    const heights = qualities.map(({ lines, id }): Choice<number> => [`${lines}p`, id]);
    const listed: Choice<number>[] = [[auto, -1], ...heights];
    made.push(group("quality", texts.quality, listed, quality, (id) => (choices.quality = id)));
  }
  const speeds = SPEEDS.map((speed): Choice<number> => [
    `${formatNumber(speed, player.language)}×`,
    speed,
  ]);
  made.push(
    group("speed", texts.speed, speeds, video.playbackRate, (speed) => player.setSpeed(speed)),
  );
  const tracks = captions.tracks();
  if (tracks.length > 0) {
    const listed: Choice<number>[] = [
      [texts.off, -1],
      ...tracks.map((track, id): Choice<number> => [
        track.label || track.language || String(id + 1),
        id,
      ]),
    ];
    const chosen = captions.chosen ? tracks.indexOf(captions.chosen) : -1;
    made.push(
      group("captions", texts.captions, listed, chosen, (id) => captions.choose(tracks[id])),
      fold,
    );
  }
  const audio = choices?.audioTracks() ?? [];
  if (choices && audio.length > 1) {
    const listed = audio.map(({ name, id }): Choice<number> => [name, id]);
    made.push(group("audio", texts.audio, listed, choices.audio, (id) => (choices.audio = id)));
  }
  if (choices) {
    made.push(
      toggle("low-data", texts.low_data, texts.low_data_hint, choices.lowData, (isOn) => {
        choices.lowData = isOn;
      }),
    );
  }
  if (player.hasSilences) {
    const { skipsSilence } = player;
    made.push(
      toggle("silence", texts.skip_silence, texts.skip_silence_hint, skipsSilence, (isOn) => {
        player.skipsSilence = isOn;
      }),
    );
  }
  const isOn = settings().shortcuts !== false;
  made.push(
    toggle("shortcuts", texts.keyboard, texts.shortcuts_hint, isOn, (shortcuts) =>
      keepSettings({ shortcuts }),
    ),
  );
  return made;
}

/** The style of captions, which folds out. */
function captionStyleFold({ player: { captions }, texts }: PanelHost): HTMLElement {
  const parts = Object.keys(CAPTION_STYLES) as StylePart[];
  const rows = parts.map((part) => {
    const choices = CAPTION_STYLES[part].map((style): Choice<string> => [
      texts[`caption_${part}_${style}` as TextKey],
      style,
    ]);
    return group(part, texts[`caption_${part}`], choices, captions.style[part], (style) =>
      captions.setStyle(part, style),
    );
  });
  const summary = make("summary", { id: "caption-style" }, texts.caption_style);
  return make("details", {}, summary, ...rows);
}

/** Radio buttons that look like chips. */
function group<Value extends string | number>(
  name: string,
  label: string,
  choices: Choice<Value>[],
  chosen: Value,
  choose: (value: Value) => void,
): HTMLElement {
  const chips = choices.map(([text, value]) => {
    const id = `${name}-${value}`;
    const input = make("input", { type: "radio", name, id, value: String(value) });
    input.checked = value === chosen;
    input.addEventListener("change", () => choose(value));
    return make("label", {}, input, make("span", {}, text));
  });
  const fieldset = make("fieldset", {}, make("legend", {}, label));
  fieldset.append(make("div", { class: "chips" }, ...chips));
  return fieldset;
}

function toggle(
  id: string,
  label: string,
  hint: string,
  isOn: boolean,
  turn: (isOn: boolean) => void,
): HTMLElement {
  const described = { "aria-describedby": `${id}-hint` };
  const input = make("input", { type: "checkbox", role: "switch", id, ...described });
  input.checked = isOn;
  input.addEventListener("change", () => turn(input.checked));
  const name = make("span", { class: "name" }, label);
  const row = make("label", { class: "switch" }, name, input);
  return make("div", {}, row, make("p", { class: "hint", id: `${id}-hint` }, hint));
}
