// The length that a Matroska or WebM file says it has (RFC 8794 §4, §6). Pure.

const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;

/**
 * Returns whether the Segment is longer than the file, as in a copy that was interrupted. A live
 * recording says no length. `head` holds the first bytes of the file.
 */
export function isSegmentCut(head: Uint8Array, fileSize: number): boolean {
  let at = 0;
  // The EBML header comes first, then the Segment.
  for (const expected of [EBML, SEGMENT]) {
    const id = readNumber(head, at, false);
    if (!id || id.value !== expected) return false;
    const size = readNumber(head, at + id.length, true);
    if (!size) return false;
    at += id.length + size.length;
    if (expected === SEGMENT) return size.value !== undefined && at + size.value > fileSize;
    if (size.value === undefined) return false;
    at += size.value;
  }
  return false;
}

/** Reads a variable-length integer. The length with only ones has no value. */
function readNumber(
  bytes: Uint8Array,
  at: number,
  isSize: boolean,
): { length: number; value?: number } | undefined {
  const first = bytes[at];
  if (!first) return undefined;
  const length = Math.clz32(first) - 23;
  if (at + length > bytes.length) return undefined;
  let value = isSize ? first & (0xff >> length) : first;
  let isUnknown = isSize && value === 0xff >> length;
  for (const byte of bytes.subarray(at + 1, at + length)) {
    value = value * 256 + byte;
    isUnknown &&= byte === 0xff;
  }
  return isUnknown ? { length } : { length, value };
}
