// Silences of a lecture, which the player skips for viewers that ask for it. Pure.

/** A silence from a second to a second. */
export type Silence = [from: number, to: number];

/** A lecture has at most so many silences. */
const MAX_SILENCES = 10_000;
/** A shorter rest is part of speech, in seconds. */
const MIN_REST = 1;
/** The voice fades in and out, in seconds. */
const MARGIN = 0.25;

/** Reads `[[from, to], …]` in seconds. Leaves out what is no silence. */
export function parseSilences(text: string): Silence[] {
  const listed: unknown = JSON.parse(text);
  if (!Array.isArray(listed)) return [];
  return listed
    .slice(0, MAX_SILENCES)
    .flatMap((entry: unknown): Silence[] => {
      const [from, to] = Array.isArray(entry) ? entry : [];
      const isSilence = Number.isFinite(from) && Number.isFinite(to) && from >= 0 && to > from;
      return isSilence ? [[from, to]] : [];
    })
    .sort(([one], [other]) => one - other);
}

/** The second to go on at, if a silence plays that is worth a skip. */
export function skipTo(silences: readonly Silence[], seconds: number): number | undefined {
  const silence = silences.findLast(([from]) => from + MARGIN <= seconds);
  if (!silence) return undefined;
  const end = silence[1] - MARGIN;
  return end - seconds >= MIN_REST ? end : undefined;
}
