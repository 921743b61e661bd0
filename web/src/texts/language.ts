// Languages of the texts.

/** Languages other than English. */
const OTHERS = ["de", "es", "fr", "hi", "pt"];

/** The language of the list that suits a BCP 47 tag, such as `de` for `de-CH`. */
export function languageOf(tag: string): string {
  const [base = ""] = tag.toLowerCase().split("-");
  return OTHERS.includes(base) ? base : "en";
}
