// What the Worker asks of the platform. Every function that wasm imports is glue on both sides, and every text between the two
// is decoded by the platform, which takes longer than most of what is done with it: so one function does what belongs
// together, and what it says is one text.

export const requested = ({ method, url, headers, cf }) => {
  let lines = `${method}\n${url}\n${cf?.country ?? ""}\n${cf?.clientAcceptEncoding ?? headers.get("accept-encoding") ?? ""}`;
  for (const [name, value] of headers) lines += `\n${name}:${value}`;
  return lines;
};

export const responded = (status, lines, body) => {
  const headers = new Headers();
  const all = lines.split("\n");
  for (let at = 1; at < all.length; at += 2) headers.append(all[at - 1], all[at]);
  return new Response(body, { status, headers });
};

// A method with up to three arguments.
export const call = (of, method, ...args) => of[method](...args);

export const raced = (milliseconds, promise) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

// Whether a promise has settled after so many milliseconds. This one never fails.
export const settles = (milliseconds, promise) => {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const ended = () => true;
  return Promise.race([promise.then(ended, ended), late]).finally(() => clearTimeout(timer));
};

export const slept = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// What R2 says of an object.
export const stored = ({ etag, size, uploaded, httpMetadata }) =>
  `${etag} ${size} ${uploaded.getTime()} ${httpMetadata?.contentType ?? ""}`;

// What R2 says of a page of objects.
export const listed = ({ objects, truncated }) =>
  JSON.stringify({
    objects: objects.map(({ key, size, etag, uploaded }) => ({ key, bytes: size, etag, uploaded: uploaded.getTime() })),
    truncated,
  });

export const cache = () => globalThis.caches?.default;

// What the cache has under a URL and a header's name.
export const cached = ({ status, headers }, name) => `${status} ${headers.get(name) ?? ""}`;

export const part = (url, range) => new Request(url, { headers: { range } });

export const discard = ({ body }) => {
  body?.cancel();
};

// Two copies of a stream, and when the first is out of memory: it goes through a pipe of known length, whose end says so.
export const forked = (stream, length) => {
  const [first, second] = stream.tee();
  const pipe = new FixedLengthStream(length);
  return [pipe.readable, second, first.pipeTo(pipe.writable)];
};

// A stream of bytes that nobody copies, the promise that says when they were read, and how to break it off.
export const sending = (bytes) => {
  const pipe = new FixedLengthStream(bytes.byteLength);
  const writer = pipe.writable.getWriter();
  const sent = Promise.all([writer.write(bytes), writer.close()]);
  return { stream: pipe.readable, sent, abort: () => writer.abort(new Error("not read in time")) };
};

export const panicked = (message) => console.error(new Error(message));
