// The hot border: a request's facts and an answer's headers cross between WebAssembly and
// JavaScript as one text each. The platform decodes every text, and single headers would make about
// fifty per request: raw.rs has the measurement.

export const requested = ({ method, url, headers, cf }) => {
  let lines = `${method}\n${url}\n${cf?.country ?? ""}\n${cf?.clientAcceptEncoding ?? headers.get("accept-encoding") ?? ""}`;
  for (const [name, value] of headers) lines += `\n${name}:${value}`;
  return lines;
};

export const posted = async (url, lines, body, milliseconds) => {
  const headers = new Headers();
  const all = lines.split("\n");
  for (let at = 1; at < all.length; at += 2) headers.append(all[at - 1], all[at]);
  const signal = AbortSignal.timeout(milliseconds);
  const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
  await response.body?.cancel();
  return response.status;
};

export const responded = (status, lines, body) => {
  const headers = new Headers();
  const all = lines.split("\n");
  for (let at = 1; at < all.length; at += 2) headers.append(all[at - 1], all[at]);
  return new Response(body, { status, headers });
};

// Reads the first bytes of a body, and leaves the rest in it.
export const begun = async (body, length) => {
  const reader = body.getReader({ mode: "byob" });
  const { value } = await reader.readAtLeast(length, new Uint8Array(length));
  reader.releaseLock();
  return value ?? new Uint8Array(0);
};

// The platform copies the rest itself. Storage requires a known length.
export const joined = (beginning, rest, length) => {
  const { readable, writable } = new FixedLengthStream(length);
  const copy = async () => {
    const writer = writable.getWriter();
    await writer.write(beginning);
    writer.releaseLock();
    await rest.pipeTo(writable);
  };
  // A body that breaks off breaks the stream off, and so the write to storage.
  copy().catch(() => {});
  return readable;
};
