// The texts of the player, one file a language. web/build.mjs refuses a file that lacks a key.
import en from "./en.json" with { type: "json" };

export { fill } from "./fill.ts";
export { languageOf } from "./language.ts";

export type Texts = typeof en;
export type TextKey = keyof Texts;

/** Languages other than English, which comes with the player. */
const OTHERS: Record<string, () => Promise<{ default: Texts }>> = {
  de: () => import("./de.json"),
  es: () => import("./es.json"),
  fr: () => import("./fr.json"),
  hi: () => import("./hi.json"),
  pt: () => import("./pt.json"),
};

/** Texts of a language, English without a connection. */
export async function textsOf(language: string): Promise<Texts> {
  try {
    return (await OTHERS[language]?.())?.default ?? en;
  } catch {
    return en;
  }
}

export { en };

/** A number as a language writes it: `2,5` in German, `50 %` there and `50%` in English. */
export function formatNumber(
  value: number,
  language: string,
  style: "decimal" | "percent" = "decimal",
): string {
  return new Intl.NumberFormat(language, { style }).format(value);
}
