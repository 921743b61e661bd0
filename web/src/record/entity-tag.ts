// The entity-tag that R2 gives an object: the MD5 of its bytes. By it, the page recognizes its own
// object after a lost answer. Browsers compute no MD5 (RFC 1321). Pure.

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const SINES = Array.from({ length: 64 }, (_, at) => {
  return Math.floor(2 ** 32 * Math.abs(Math.sin(at + 1)));
});

/** Returns the strong entity-tag of a text, with its quotes. */
export function entityTagOf(text: string): string {
  return `"${md5(new TextEncoder().encode(text))}"`;
}

function md5(bytes: Uint8Array): string {
  const padded = new DataView(new ArrayBuffer(((bytes.length + 72) >> 6) << 6));
  new Uint8Array(padded.buffer).set(bytes);
  padded.setUint8(bytes.length, 0x80);
  padded.setBigUint64(padded.byteLength - 8, BigInt(bytes.length) * 8n, true);
  const state = new Uint32Array([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);
  for (let from = 0; from < padded.byteLength; from += 64) addBlock(state, padded, from);
  const digest = [...new Uint8Array(state.buffer)];
  return digest.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function addBlock(state: Uint32Array, padded: DataView, from: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (let at = 0; at < 64; at++) {
    const round = at >> 4;
    const [mixed, word] = mix(round, at, b, c, d);
    const sum = (a + mixed + SINES[at] + padded.getUint32(from + 4 * word, true)) | 0;
    const shift = SHIFTS[round][at & 3];
    [a, d, c, b] = [d, c, b, (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0];
  }
  [a, b, c, d].forEach((value, at) => (state[at] += value));
}

/** The round's function, and the word of the block that it adds. */
function mix(round: number, at: number, b: number, c: number, d: number): [number, number] {
  switch (round) {
    case 0:
      return [(b & c) | (~b & d), at];
    case 1:
      return [(d & b) | (~d & c), (5 * at + 1) & 15];
    case 2:
      return [b ^ c ^ d, (3 * at + 5) & 15];
    default:
      return [c ^ (b | ~d), (7 * at) & 15];
  }
}
