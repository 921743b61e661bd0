// The viewer's style of captions. Pure.

/** Styles to choose from. */
export const CAPTION_STYLES = {
  size: ["small", "medium", "large", "huge"],
  colours: ["light", "yellow", "dark", "outline"],
  position: ["bottom", "top"],
} as const;

/** The player's own style. */
const OWN = { size: "medium", colours: "light", position: "bottom" };

export type CaptionStyle = { [Part in keyof typeof CAPTION_STYLES]: string };

/** The kept style, with the player's own in place of unknown ones. */
export function captionStyle(kept: unknown): CaptionStyle {
  const chosen: Record<string, unknown> = typeof kept === "object" && kept ? { ...kept } : {};
  const of = (part: keyof typeof CAPTION_STYLES): string =>
    CAPTION_STYLES[part].find((style) => style === chosen[part]) ?? OWN[part];
  return { size: of("size"), colours: of("colours"), position: of("position") };
}
