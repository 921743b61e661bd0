// The keyboard, as data. Pure: a key gives an action.

export type Action =
  | { type: "toggle" }
  | { type: "seek_by"; seconds: number }
  /** A share of the lecture, 0 to 1. */
  | { type: "seek_to"; share: number }
  | { type: "louder"; by: number }
  /** The next speed of the list, up or down. */
  | { type: "faster"; steps: 1 | -1 }
  | { type: "mute" }
  | { type: "captions" }
  | { type: "fullscreen" }
  | { type: "pip" }
  | { type: "help" }
  | { type: "notes" }
  | { type: "transcript" }
  | { type: "close" };

export interface Key {
  /** The character that the layout gives, or the key's name. */
  key: string;
  /** The key's place on the keyboard, as on an American one. */
  code: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/**
 * The control that has the focus, which keeps the keys that it needs. A choice is among radio
 * buttons, or of the part of a list that shows.
 */
export type Focus = "none" | "button" | "choice" | "slider" | "timeline" | "form";

/** Actions that a held key repeats. Others would only flicker. */
const REPEATED: ReadonlySet<Action["type"]> = new Set(["seek_by", "louder", "faster"]);

/** Characters of an American keyboard with Shift. */
const SHIFTED = { Comma: "<", Period: ">", Slash: "?" };

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];

/**
 * The action of a key, if it has one. Combinations belong to the browser. Speech input types
 * characters, so that a viewer can turn those off (WCAG 2.1.4).
 */
export function actionOf(
  pressed: Key,
  focus: Focus,
  hasCharacters = true,
): Action | undefined {
  const { ctrlKey, altKey, metaKey, shiftKey } = pressed;
  const key = latinKey(pressed);
  if (ctrlKey || altKey || metaKey) return undefined;
  if (key === "Escape") return { type: "close" };
  if (focus === "form") return undefined;
  if (!hasCharacters && key.length === 1 && key !== " ") return undefined;
  if ((focus === "button" || focus === "choice") && (key === " " || key === "Enter"))
    return undefined;
  if (
    (focus === "slider" || focus === "choice") &&
    (key.startsWith("Arrow") || key === "Home" || key === "End")
  )
    return undefined;
  // The browser would move a slider by a hundredth, which is half a minute of an hour.
  const step = shiftKey ? 10 : 5;
  if (focus === "timeline" && (key === "ArrowUp" || key === "ArrowDown"))
    return { type: "seek_by", seconds: key === "ArrowUp" ? step : -step };
  if (/^[0-9]$/.test(key)) return { type: "seek_to", share: Number(key) / 10 };
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case " ":
    case "k":
      return { type: "toggle" };
    case "j":
      return { type: "seek_by", seconds: -10 };
    case "l":
      return { type: "seek_by", seconds: 10 };
    case "ArrowLeft":
      return { type: "seek_by", seconds: -step };
    case "ArrowRight":
      return { type: "seek_by", seconds: step };
    case "ArrowUp":
      return { type: "louder", by: 0.05 };
    case "ArrowDown":
      return { type: "louder", by: -0.05 };
    case "Home":
      return { type: "seek_to", share: 0 };
    case "End":
      return { type: "seek_to", share: 1 };
    case "<":
      return { type: "faster", steps: -1 };
    case ">":
      return { type: "faster", steps: 1 };
    case "m":
      return { type: "mute" };
    case "c":
      return { type: "captions" };
    case "f":
      return { type: "fullscreen" };
    case "p":
      return { type: "pip" };
    case "n":
      return { type: "notes" };
    case "t":
      return { type: "transcript" };
    case "?":
      return { type: "help" };
    default:
      return undefined;
  }
}

/** Returns whether a held key repeats its action. */
export function isRepeated({ type }: Action): boolean {
  return REPEATED.has(type);
}

/** The key's character. A letter or digit of another script gives that of its place. */
function latinKey({ key, code, shiftKey }: Key): string {
  if (!/^[^\p{ASCII}\p{Script=Latin}]$/u.test(key)) return key;
  const [, letter] = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(code) ?? [];
  if (letter) return letter.toLowerCase();
  if (shiftKey && code in SHIFTED) return SHIFTED[code as keyof typeof SHIFTED];
  return key;
}

/** The next speed of the list. */
export function nextSpeed(speed: number, steps: 1 | -1): number {
  const others =
    steps > 0
      ? SPEEDS.filter((other) => other > speed)
      : SPEEDS.filter((other) => other < speed).reverse();
  return others[0] ?? speed;
}
