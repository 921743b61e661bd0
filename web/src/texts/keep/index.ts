// The texts of the panel that keeps a lecture on the device. They load with it.
import en from "./keep-en.json";

export type KeepTexts = typeof en;

const OTHERS: Record<string, () => Promise<{ default: KeepTexts }>> = {
  de: () => import("./keep-de.json"),
  es: () => import("./keep-es.json"),
  fr: () => import("./keep-fr.json"),
  hi: () => import("./keep-hi.json"),
  pt: () => import("./keep-pt.json"),
};

/** Texts of a language, English without a connection. */
export async function keepTextsOf(language: string): Promise<KeepTexts> {
  try {
    return (await OTHERS[language]?.())?.default ?? en;
  } catch {
    return en;
  }
}
