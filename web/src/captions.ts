// Captions over the video. The browser's own would lie below the controls, and could not be
// styled alike.
import { keepSettings, settings } from "./memory.ts";

export class Captions {
  readonly #video: HTMLVideoElement;
  readonly #overlay: HTMLElement;
  readonly #changed: () => void;
  #chosen: TextTrack | undefined;
  /** The language that the viewer wants, `null` for none. */
  #wanted: string | null;

  constructor(video: HTMLVideoElement, overlay: HTMLElement, changed: () => void) {
    this.#video = video;
    this.#overlay = overlay;
    this.#changed = changed;
    this.#wanted = settings().captions ?? null;
    video.textTracks.addEventListener("addtrack", () => this.#follow());
    video.textTracks.addEventListener("removetrack", () => this.#follow());
    video.textTracks.addEventListener("change", () => this.#follow());
  }

  tracks(): TextTrack[] {
    return [...this.#video.textTracks].filter(
      ({ kind }) => kind === "subtitles" || kind === "captions",
    );
  }

  get chosen(): TextTrack | undefined {
    return this.#chosen;
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
    for (const other of this.tracks()) if (other !== track) other.mode = "disabled";
    this.#overlay.replaceChildren();
    if (track) {
      track.mode = "hidden";
      track.oncuechange = () => this.#draw(track);
      this.#draw(track);
    }
    this.#changed();
  }

  #draw(track: TextTrack): void {
    const lines = [...(track.activeCues ?? [])].map((cue) => {
      const line = document.createElement("p");
      line.dir = "auto";
      if (cue instanceof VTTCue) line.append(cue.getCueAsHTML());
      return line;
    });
    // With the mode `showing`, the browser draws them.
    this.#overlay.replaceChildren(...(track.mode === "hidden" ? lines : []));
  }
}
