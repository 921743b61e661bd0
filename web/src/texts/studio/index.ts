// The texts of the studio page. web/build.mjs refuses a file that lacks a key.
import en from "./upload-en.json" with { type: "json" };

export type StudioTexts = typeof en;

const OTHERS: Record<string, () => Promise<{ default: StudioTexts }>> = {
  de: () => import("./upload-de.json"),
  es: () => import("./upload-es.json"),
  fr: () => import("./upload-fr.json"),
  hi: () => import("./upload-hi.json"),
  pt: () => import("./upload-pt.json"),
};

/** Texts of a language, English without a connection. */
export async function studioTextsOf(language: string): Promise<StudioTexts> {
  try {
    return (await OTHERS[language]?.())?.default ?? en;
  } catch {
    return en;
  }
}
