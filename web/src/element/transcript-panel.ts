// The panel with the transcript, which follows what plays and can be searched.
import { readText } from "../bounded.ts";
import {
  linesOf,
  type Line,
  matchParts,
  MAX_CAPTION_BYTES,
  parseTranscript,
  search,
} from "../transcript.ts";
import { make } from "./dom.ts";
import { type PanelContent, type PanelHost, TimedList } from "./panel.ts";

/** The time between two looks at the cues that the browser has loaded, in milliseconds. */
const TRACK_READ_MS = 500;

export function transcriptPanel({ player, texts }: PanelHost): PanelContent {
  const { captions } = player;
  const files = player.extras.captions ?? [];
  const list = new TimedList("lines", (seconds) => player.seek(seconds));
  const status = make("p", { class: "none", role: "status" });
  const input = make("input", {
    type: "search",
    "aria-label": texts.search_transcript,
    placeholder: texts.search_transcript,
  });
  let lines: readonly Line[] = [];
  let isClosed = false;

  const show = (): void => {
    const found = search(lines, input.value);
    list.show(
      found.map(({ start, text }) => {
        const content = make("span", { dir: "auto" });
        for (const part of matchParts(text, input.value))
          content.append(part.isMatch ? make("mark", {}, part.text) : part.text);
        return { start, content };
      }),
    );
    status.textContent = found.length === 0 && lines.length > 0 ? texts.no_matches : "";
    list.follow(player.video.currentTime);
  };
  input.addEventListener("input", show);

  /** Without a file, lines come as the lecture plays. */
  const readTrack = (): void => {
    const track = captions.chosen ?? captions.tracks()[0];
    captions.read(track);
    const cues = track?.cues ?? [];
    if (cues.length === lines.length) return;
    lines = linesOf(
      [...cues].map((cue) => ({
        start: cue.startTime,
        text: cue instanceof VTTCue ? (cue.getCueAsHTML().textContent ?? "") : "",
      })),
    );
    show();
  };

  let looks: ReturnType<typeof setInterval> | undefined;
  const followTrack = (): void => {
    looks = setInterval(readTrack, TRACK_READ_MS);
    readTrack();
  };
  const load = async (at: number): Promise<void> => {
    const file = files[at];
    if (!file || !player.engine) return;
    clearInterval(looks);
    try {
      const text = await readText(await player.engine.file(file.url), MAX_CAPTION_BYTES);
      const read = await parseTranscript(text);
      if (isClosed || files[Number(select.value)] !== file) return;
      lines = read;
      list.element.lang = file.language;
      show();
    } catch {
      if (!isClosed) followTrack();
    }
  };

  const wanted = [captions.chosen?.language, captions.wanted, player.language];
  const at = wanted.map((tag) => files.findIndex(({ language }) => language === tag));
  const select = make("select", { "aria-label": texts.transcript_language });
  for (const [index, { name, language }] of files.entries())
    select.append(make("option", { value: String(index) }, name || language));
  select.value = String(at.find((index) => index >= 0) ?? 0);
  select.addEventListener("change", () => void load(Number(select.value)));
  if (files.length === 0) followTrack();
  else void load(Number(select.value));

  const field = make("div", { class: "field" }, input);
  if (files.length > 1) field.append(select);
  return {
    nodes: [field, status, list.element],
    first: input,
    follow: (seconds) => list.follow(seconds),
    closed() {
      isClosed = true;
      clearInterval(looks);
      captions.read(undefined);
    },
  };
}
