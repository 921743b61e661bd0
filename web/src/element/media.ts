// media-chrome's buttons and ranges, as elements that each have the language of
// their own player. The library has one language for a page.
import MediaAirplayButton from "media-chrome/dist/media-airplay-button.js";
import "media-chrome/dist/media-controller.js";
import MediaFullscreenButton from "media-chrome/dist/media-fullscreen-button.js";
import MediaMuteButton from "media-chrome/dist/media-mute-button.js";
import MediaPipButton from "media-chrome/dist/media-pip-button.js";
import MediaPlayButton from "media-chrome/dist/media-play-button.js";
import MediaTimeDisplay from "media-chrome/dist/media-time-display.js";
import MediaTimeRange from "media-chrome/dist/media-time-range.js";
import MediaVolumeRange from "media-chrome/dist/media-volume-range.js";
import { addTranslation, setLanguage } from "media-chrome/dist/utils/i18n.js";
import type { Texts } from "../texts/index.ts";

interface MediaElement extends HTMLElement {
  connectedCallback(): void;
  attributeChangedCallback(name: string, before: string | null, now: string | null): void;
}

type MediaClass = new (...given: any[]) => MediaElement;

/** Languages of players, by their shadow trees. */
const languages = new WeakMap<Node, string>();

/** Gives a player's controls a language and its texts. */
export function translateIn(root: ShadowRoot, language: string, texts: Texts): void {
  languages.set(root, language);
  addTranslation(language, translationOf(texts));
}

/** Sets the library's language before an element makes a text. */
function selectLanguage(element: HTMLElement): void {
  const language = languages.get(element.getRootNode());
  if (language) setLanguage(language);
}

function localized<Base extends MediaClass>(base: Base): MediaClass {
  return class extends base {
    override connectedCallback(): void {
      selectLanguage(this);
      super.connectedCallback();
    }

    override attributeChangedCallback(
      name: string,
      before: string | null,
      now: string | null,
    ): void {
      selectLanguage(this);
      super.attributeChangedCallback(name, before, now);
    }
  };
}

const ELEMENTS: Record<string, MediaClass> = {
  "lectern-airplay": MediaAirplayButton,
  "lectern-fullscreen": MediaFullscreenButton,
  "lectern-mute": MediaMuteButton,
  "lectern-pip": MediaPipButton,
  "lectern-play": MediaPlayButton,
  "lectern-time": MediaTimeDisplay,
  "lectern-time-range": MediaTimeRange,
  "lectern-volume-range": MediaVolumeRange,
};
for (const [name, base] of Object.entries(ELEMENTS))
  if (!customElements.get(name)) customElements.define(name, localized(base));

function translationOf(texts: Texts): Record<string, string> {
  return {
    "video player": texts.player,
    play: texts.play,
    pause: texts.mc_pause,
    mute: texts.key_mute,
    unmute: texts.mc_unmute,
    seek: texts.mc_seek,
    volume: texts.volume,
    "enter fullscreen mode": texts.key_fullscreen,
    "exit fullscreen mode": texts.mc_exit_fullscreen,
    "enter picture in picture mode": texts.pip,
    "exit picture in picture mode": texts.mc_exit_pip,
    "start airplay": texts.airplay,
    "stop airplay": texts.mc_stop_airplay,
    "playback time": texts.mc_playback_time,
    "{currentTime} of {totalTime}": texts.mc_time_of,
    "{time} remaining": texts.mc_remaining,
    "video not loaded, unknown time.": texts.mc_unknown_time,
    "chapter: {chapterName}": texts.mc_chapter,
    hour: texts.mc_hour,
    hours: texts.mc_hours,
    minute: texts.mc_minute,
    minutes: texts.mc_minutes,
    second: texts.mc_second,
    seconds: texts.mc_seconds,
  };
}
