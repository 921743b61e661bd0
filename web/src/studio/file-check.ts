// The identity of a file that goes up: a resumed upload must not mix two files.

/** Bytes at both ends of a file that its digests cover. */
const EDGE_BYTES = 16 << 20;

/** A file as the journal remembers it. */
export interface FileIdentity {
  name: string;
  size: number;
  /** Milliseconds since 1970. */
  lastModified: number;
  /** The SHA-256 of the first bytes, in hexadecimal. */
  head: string;
  /** The SHA-256 of the last bytes, in hexadecimal. */
  tail: string;
}

/** Reads the identity of a file. */
export async function identify(file: File): Promise<FileIdentity> {
  const { name, size, lastModified } = file;
  const head = await digest(file.slice(0, EDGE_BYTES));
  const tail = size > EDGE_BYTES ? await digest(file.slice(size - EDGE_BYTES)) : head;
  return { name, size, lastModified, head, tail };
}

/** Returns whether both are the same file. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return (
    one.name === other.name &&
    one.size === other.size &&
    one.lastModified === other.lastModified &&
    one.head === other.head &&
    one.tail === other.tail
  );
}

async function digest(bytes: Blob): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", await bytes.arrayBuffer());
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
