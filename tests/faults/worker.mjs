// The built Worker with a bucket, a cache and a limiter that fail on demand. The Worker has no code
// for it.
//
// A request says what fails in `x-faults`, separated by commas: `get:error:2` (the first two calls reject), `get:hang`,
// `head:error:9`, `body:break:1000` (every body breaks off after so many bytes), `body:break-once:1000`, `limit:error`, `trap`, `client:stall:3` (the client
// receives 20 bytes a second, and the rest once `/__faults/resume/3` was asked for).
// `/__faults/points` tells what was written to Analytics Engine and forgets it;
// `/__faults/put/KEY` writes past the Worker; `/__faults/counts` tells how often each object was read and forgets it; `/__faults/cache?fail=match|put|hang|` sets
// how the cache fails; `/__faults/puts?most=2` holds every put after so many, until more are allowed; `/__faults/puts` tells how
// many came since; `/__faults/asked` tells how often Durable Objects and Workers KV were asked and forgets it.
import { WorkerEntrypoint } from "cloudflare:workers";
import Built from "../../build/index.js";
export { Ledger } from "../../build/index.js";

let counts = {};
let cacheFault = "";
let points = [];
let asked = { ledgers: 0, revocations: 0 };
let resumed = new Set();
let puts = { came: 0, most: Infinity };

const failed = () => new Error("get: We encountered an internal error. Please try again. (10001)");
const never = () => new Promise(() => {});

const realCache = caches.default;
const faultyCache = {
  async match(request) {
    if (cacheFault === "match") throw new Error("the cache is gone");
    if (cacheFault === "hang") return never();
    return realCache.match(request);
  },
  async put(request, response) {
    if (cacheFault === "put") {
      await response.body?.cancel();
      throw new Error("the cache is full");
    }
    return realCache.put(request, response);
  },
  delete: (request) => realCache.delete(request),
};
Object.defineProperty(globalThis, "caches", { value: { default: faultyCache } });

function plan(header) {
  const faults = {};
  for (const fault of (header ?? "").split(",").filter(Boolean)) {
    const [what, how, amount] = fault.split(":");
    faults[what] = { how, left: Number(amount ?? Infinity) };
  }
  return faults;
}

/// A body that breaks off after `length` bytes.
function broken(body, length) {
  let sent = 0;
  return body.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        if (sent + chunk.byteLength > length) {
          controller.enqueue(chunk.slice(0, length - sent));
          throw failed();
        }
        sent += chunk.byteLength;
        controller.enqueue(chunk);
      },
    }),
  );
}

/// A body that a client reads byte by byte until it is resumed, as if no proxy buffered it. If
/// the client leaves, the next byte fails.
function stalled(body, number) {
  const reader = body.getReader();
  let rest = new Uint8Array();
  return new ReadableStream(
    {
      async pull(controller) {
        if (rest.byteLength === 0) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          rest = value;
        }
        const length = resumed.has(number) ? rest.byteLength : 1;
        if (!resumed.has(number)) await scheduler.wait(50);
        controller.enqueue(rest.slice(0, length));
        rest = rest.subarray(length);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/// A request that traps when it is read, as a panic during an answer would.
function trapped(request) {
  return new Proxy(request, {
    get() {
      throw new WebAssembly.RuntimeError("unreachable");
    },
  });
}

class R2Bucket {
  constructor(bucket, faults) {
    this.bucket = bucket;
    this.faults = faults;
  }

  async call(name, key, options) {
    const fault = this.faults[name];
    const count = (counts[key] ??= { get: 0, range: 0, head: 0 });
    count[options?.range ? "range" : name] += 1;
    if (fault?.how === "hang") return never();
    if (fault?.how === "error" && fault.left-- > 0) throw failed();
    return this.bucket[name](key, options);
  }

  head(key) {
    return this.call("head", key);
  }

  async get(key, options) {
    const object = await this.call("get", key, options);
    const fault = this.faults.body;
    if (!object || !fault) return object;
    if (fault.how === "break-once") this.faults.body = undefined;
    const { etag, size, uploaded, httpMetadata } = object;
    const body = broken(object.body, fault.left);
    return { etag, size, uploaded, httpMetadata, body, bodyUsed: false };
  }

  list(options) {
    return this.bucket.list(options);
  }

  async put(...all) {
    puts.came += 1;
    const number = puts.came;
    while (number > puts.most) await scheduler.wait(50);
    return this.bucket.put(...all);
  }

  delete(...all) {
    return this.bucket.delete(...all);
  }
}

/// A binding whose calls of these methods are counted.
function counted(binding, name, methods) {
  return new Proxy(binding, {
    get(target, property) {
      const value = target[property];
      if (!methods.includes(property)) return value;
      return (...all) => {
        asked[name] += 1;
        return value.apply(target, all);
      };
    },
  });
}

class Ratelimit {
  async limit() {
    throw failed();
  }
}

export default class extends WorkerEntrypoint {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/__faults/counts") {
      const told = counts;
      counts = {};
      return Response.json(told);
    }
    if (url.pathname === "/__faults/asked") {
      const told = asked;
      asked = { ledgers: 0, revocations: 0 };
      return Response.json(told);
    }
    if (url.pathname === "/__faults/points") {
      const told = points;
      points = [];
      return Response.json(told);
    }
    if (url.pathname === "/__faults/cache") {
      cacheFault = url.searchParams.get("fail") ?? "";
      return new Response("");
    }
    if (url.pathname === "/__faults/puts") {
      if (url.search) puts = { came: 0, most: Number(url.searchParams.get("most")) };
      return Response.json(puts.came);
    }
    if (url.pathname.startsWith("/__faults/resume/")) {
      resumed.add(Number(url.pathname.slice("/__faults/resume/".length)));
      return new Response("");
    }
    if (url.pathname.startsWith("/__faults/put/")) {
      await this.env.BUCKET.put(url.pathname.slice("/__faults/put/".length), request.body);
      return new Response("");
    }
    const faults = plan(request.headers.get("x-faults"));
    const ANALYTICS = { writeDataPoint: (point) => points.push(point) };
    const env = { ...this.env, ANALYTICS, BUCKET: new R2Bucket(this.env.BUCKET, faults) };
    env.LEDGERS = counted(env.LEDGERS, "ledgers", ["getByName"]);
    env.REVOCATIONS = counted(env.REVOCATIONS, "revocations", ["get", "getWithMetadata"]);
    if (faults.limit) env.REFUSALS = new Ratelimit();
    const response = await Built.fetch(faults.trap ? trapped(request) : request, env, this.ctx);
    if (faults.client?.how !== "stall" || !response.body) return response;
    return new Response(stalled(response.body, faults.client.left), response);
  }
}
