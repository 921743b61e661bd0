// Parts of an upload: all but the last have one length (R2). Pure.

const MEBIBYTE = 1 << 20;
export const PART_BYTES = 16 * MEBIBYTE;
/** The maximum number of parts of an upload (R2). */
export const MAX_PARTS = 10_000;

export interface PartPlan {
  /** Bytes of each part but the last. */
  partBytes: number;
  count: number;
}

/** Returns whether a file goes up in one request. */
export function isOneRequest(size: number): boolean {
  return size <= PART_BYTES;
}

/** Plans parts of 16 MiB, or larger ones if 10,000 do not suffice. */
export function planParts(size: number): PartPlan {
  const least = Math.ceil(size / MAX_PARTS / MEBIBYTE) * MEBIBYTE;
  const partBytes = Math.max(PART_BYTES, least);
  return { partBytes, count: Math.max(1, Math.ceil(size / partBytes)) };
}

/** The first byte of a part and the one behind its last. Part numbers begin with 1. */
export function partRange(size: number, partBytes: number, number: number): [number, number] {
  const from = (number - 1) * partBytes;
  return [from, Math.min(size, from + partBytes)];
}

/** Bytes of the parts in `numbers`. */
export function bytesOf(size: number, partBytes: number, numbers: Iterable<number>): number {
  let sum = 0;
  for (const number of numbers) {
    const [from, to] = partRange(size, partBytes, number);
    sum += to - from;
  }
  return sum;
}

/** The part numbers that `acknowledged` lacks, in ascending order. */
export function missingParts(
  { count }: PartPlan,
  acknowledged: { has(number: number): boolean },
): number[] {
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  return numbers.filter((number) => !acknowledged.has(number));
}
