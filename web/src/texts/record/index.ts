// The texts of the recorder page.
import en from "./record-en.json";

export type RecordTexts = typeof en;

const OTHERS: Record<string, () => Promise<{ default: RecordTexts }>> = {
  de: () => import("./record-de.json"),
  es: () => import("./record-es.json"),
  fr: () => import("./record-fr.json"),
  hi: () => import("./record-hi.json"),
  pt: () => import("./record-pt.json"),
};

/** Texts of a language, English without a connection. */
export async function recordTextsOf(language: string): Promise<RecordTexts> {
  try {
    return (await OTHERS[language]?.())?.default ?? en;
  } catch {
    return en;
  }
}
