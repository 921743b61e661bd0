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
  | { type: "picture" }
  | { type: "help" }
  | { type: "close" };

export interface Key {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

/** The control that has the focus, which keeps the keys that it needs. */
export type Focus = "none" | "button" | "choice" | "slider" | "form";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];

/** The action of a key, if it has one. Combinations belong to the browser. */
export function actionOf({ key, ctrlKey, altKey, metaKey }: Key, focus: Focus): Action | undefined {
  if (ctrlKey || altKey || metaKey) return undefined;
  if (key === "Escape") return { type: "close" };
  if (focus === "form") return undefined;
  if ((focus === "button" || focus === "choice") && (key === " " || key === "Enter"))
    return undefined;
  if (
    (focus === "slider" || focus === "choice") &&
    (key.startsWith("Arrow") || key === "Home" || key === "End")
  )
    return undefined;
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
      return { type: "seek_by", seconds: -5 };
    case "ArrowRight":
      return { type: "seek_by", seconds: 5 };
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
      return { type: "picture" };
    case "?":
      return { type: "help" };
    default:
      return undefined;
  }
}

/** The next speed of the list. */
export function nextSpeed(speed: number, steps: 1 | -1): number {
  const others =
    steps > 0
      ? SPEEDS.filter((other) => other > speed)
      : SPEEDS.filter((other) => other < speed).reverse();
  return others[0] ?? speed;
}
