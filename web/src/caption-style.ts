// The viewer's style of captions. Pure.

/** Styles to choose from. The first of each is the player's own. */
export const CAPTION_STYLES = {
  size: ["medium", "small", "large", "huge"],
  colours: ["light", "yellow", "dark", "outline"],
  position: ["bottom", "top"],
} as const;

export type CaptionStyle = { [Part in keyof typeof CAPTION_STYLES]: string };

/** The kept style, with the player's own in place of unknown ones. */
export function captionStyle(kept: unknown): CaptionStyle {
  const chosen: Record<string, unknown> = typeof kept === "object" && kept ? { ...kept } : {};
  const of = (part: keyof typeof CAPTION_STYLES): string =>
    CAPTION_STYLES[part].find((style) => style === chosen[part]) ?? CAPTION_STYLES[part][0];
  return { size: of("size"), colours: of("colours"), position: of("position") };
}
