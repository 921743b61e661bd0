// The card that covers the video, or stands above it, when the viewer has to know something. Pure.
import { adviceText, isRetryable, reasonText } from "./refusals.ts";
import type { PlayerState } from "./state.ts";
import { fill, type Texts } from "./texts/index.ts";
import { formatTime } from "./time.ts";

export interface Card {
  isShown: boolean;
  /** The reason, which a screen reader says at once. */
  alert: string;
  title: string;
  advice: string;
  /** The button's label, or "" if another attempt changes nothing. */
  button: string;
  /** The way to the course. */
  hasCourse: boolean;
  /** The card leaves the video visible, which still plays. */
  isSmall: boolean;
}

/** The facts about a player, beside its state. */
export interface CardFacts {
  /** The second that plays, or plays next. */
  second: number;
  isPreview: boolean;
  /** A panel is open, in which the viewer may write. */
  hasPanel: boolean;
}

export function cardOf(
  { playback, trouble }: PlayerState,
  texts: Texts,
  { second, isPreview, hasPanel }: CardFacts,
): Card {
  const card = { isShown: false, alert: "", title: "", advice: "", hasCourse: false };
  const button = texts.retry;
  switch (trouble?.kind) {
    case "refused": {
      const { refusal } = trouble;
      const alert = reasonText(refusal, texts);
      const advice = fill(adviceText(refusal, texts, second), { time: formatTime(second) });
      const tries = isRetryable(refusal) ? button : "";
      return { ...card, isShown: true, alert, advice, button: tries, isSmall: false };
    }
    case "offline": {
      const { problem } = trouble;
      const alert = problem ? reasonText(problem, texts) : texts.no_connection;
      const advice = problem ? adviceText(problem, texts, second) : texts.offline_advice;
      const isSmall = hasPanel || (playback !== "waiting" && playback !== "opening");
      return { ...card, isShown: true, alert, advice, button, isSmall };
    }
    case "slow": {
      const advice = texts.offline_advice;
      return { ...card, isShown: true, alert: texts.slow, advice, button, isSmall: true };
    }
  }
  if (!isPreview || playback !== "ended") return { ...card, button: "", isSmall: false };
  const [title, advice] = [texts.preview_over, texts.preview_advice];
  const end = { title, advice, button: texts.replay, hasCourse: true, isSmall: false };
  return { ...card, isShown: true, ...end };
}
