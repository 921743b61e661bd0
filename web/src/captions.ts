// Captions over the video. The browser's own would lie below the controls, and could not be
// styled alike. Outside the page, in a small window or on an iPhone's whole screen, the browser
// draws them.
import { CAPTION_STYLES, type CaptionStyle, captionStyle } from "./caption-style.ts";
import { keepSettings, settings } from "./memory.ts";

/** Events of the video with which it leaves the page, and with which it comes back. */
const LEAVES = ["enterpictureinpicture", "webkitbeginfullscreen"];
const RETURNS = ["leavepictureinpicture", "webkitendfullscreen"];

export class Captions {
  readonly #video: HTMLVideoElement;
  readonly #overlay: HTMLElement;
  readonly #changed: () => void;
  #chosen: TextTrack | undefined;
  /** A track that only the transcript reads. */
  #read: TextTrack | undefined;
  /** The language that the viewer wants, `null` for none. */
  #wanted: string | null;
  #style: CaptionStyle;
  /** The video plays outside the page. */
  #isOutside = false;

  constructor(video: HTMLVideoElement, overlay: HTMLElement, changed: () => void) {
    this.#video = video;
    this.#overlay = overlay;
    this.#changed = changed;
    const { captions, captionStyle: style } = settings();
    this.#wanted = captions ?? null;
    this.#style = captionStyle(style);
    this.#applyStyle();
    for (const type of ["addtrack", "removetrack", "change"])
      video.textTracks.addEventListener(type, () => this.#follow());
    for (const type of LEAVES) video.addEventListener(type, () => this.#setOutside(true));
    for (const type of RETURNS) video.addEventListener(type, () => this.#setOutside(false));
  }

  tracks(): TextTrack[] {
    return [...this.#video.textTracks].filter(
      ({ kind }) => kind === "subtitles" || kind === "captions",
    );
  }

  get chosen(): TextTrack | undefined {
    return this.#chosen;
  }

  /** The language that the viewer wants, if any. */
  get wanted(): string | undefined {
    return this.#wanted ?? undefined;
  }

  get style(): CaptionStyle {
    return this.#style;
  }

  /** Changes a part of the style, for this and later lectures. */
  setStyle(part: keyof typeof CAPTION_STYLES, style: string): void {
    this.#style = captionStyle({ ...this.#style, [part]: style });
    keepSettings({ captionStyle: this.#style });
    this.#applyStyle();
  }

  /** Chooses a track for this and later lectures. */
  choose(track: TextTrack | undefined): void {
    this.#wanted = track ? track.language || track.label : null;
    keepSettings({ captions: this.#wanted });
    this.#show(track);
  }

  /** Turns captions off, or on in the language of before. */
  toggle(): void {
    const tracks = this.tracks();
    this.choose(
      this.#chosen ? undefined : (tracks.find((track) => this.#isWanted(track)) ?? tracks[0]),
    );
  }

  /** Loads a track's cues without showing them, or stops that. */
  read(track: TextTrack | undefined): void {
    const before = this.#read;
    this.#read = track;
    if (before && before !== track && before !== this.#chosen) before.mode = "disabled";
    if (track && track.mode === "disabled") track.mode = "hidden";
  }

  #isWanted(track: TextTrack): boolean {
    return (
      this.#wanted !== null && (track.language === this.#wanted || track.label === this.#wanted)
    );
  }

  /** Follows the list of tracks, and hls.js, which turns tracks on and off. */
  #follow(): void {
    const tracks = this.tracks();
    if (this.#chosen && !tracks.includes(this.#chosen)) this.#show(undefined);
    const wanted = tracks.find((track) => this.#isWanted(track));
    if (wanted && wanted !== this.#chosen) this.#show(wanted);
    else this.#changed();
  }

  #show(track: TextTrack | undefined): void {
    if (this.#chosen) this.#chosen.oncuechange = null;
    this.#chosen = track;
    for (const other of this.tracks())
      if (other !== track) other.mode = other === this.#read && !track ? "hidden" : "disabled";
    this.#overlay.replaceChildren();
    if (track) {
      track.mode = this.#isOutside ? "showing" : "hidden";
      track.oncuechange = () => this.#draw(track);
      this.#draw(track);
    }
    this.#changed();
  }

  #setOutside(isOutside: boolean): void {
    this.#isOutside = isOutside;
    if (!this.#chosen) return;
    this.#chosen.mode = isOutside ? "showing" : "hidden";
    this.#draw(this.#chosen);
  }

  #applyStyle(): void {
    for (const [part, style] of Object.entries(this.#style)) this.#overlay.dataset[part] = style;
  }

  #draw(track: TextTrack): void {
    const lines = [...(track.activeCues ?? [])].map((cue) => {
      const line = document.createElement("p");
      line.dir = "auto";
      if (track.language) line.lang = track.language;
      if (cue instanceof VTTCue) line.append(cue.getCueAsHTML());
      return line;
    });
    // With the mode `showing`, the browser draws them.
    this.#overlay.replaceChildren(...(track.mode === "hidden" ? lines : []));
  }
}
