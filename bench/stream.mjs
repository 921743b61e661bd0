// The cost of a Worker in front of a bucket: `make bench-stream [QUICK=1]`. The Worker and
// unchecked JavaScript Workers run under the same `wrangler dev` with the same bindings, and get
// requests in turns.
//
// - Throughput of large bodies: MB/s at one and at sixteen connections, from the bucket, from the cache, and from the bucket
//   into the cache.
// - Cost of verification and headers: CPU of the runtime for each request of a small object.
// - Cost of a start: CPU of the runtime from its start until its first answer.
//
// CPU is that of the workerd that runs the Worker, where there is a /proc. The bucket and the cache are simulated in the
// same process, and so are a part of every figure but the differences.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { Client, linkToken, print, quantile, shown, summary } from "./common.mjs";
import { Server } from "./server.mjs";

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", default: "bodies,requests,starts" } },
});
const only = options.only.split(",");
const LARGE = 3 << 20;
const SMALL = 1024;
const CONNECTIONS = [1, 16];
const rounds = options.quick ? 5 : 21;
const requests = { large: 16, small: options.quick ? 200 : 400 };
const starts = options.quick ? 3 : 9;

const secret = randomBytes(32);
const keys = [{ kid: "bench", secret: secret.toString("base64url") }];
const exp = Math.floor(Date.now() / 1000) + 86_400;
const mint = (claims) => linkToken(secret, { exp, path: "/bench/", ...claims });

// The cache may keep objects below `v/<revision>/`; others are always read from the bucket.
const large = Array.from({ length: requests.large }, (_, at) => `large-${at}.bin`);
const names = { bucket: large.map((name) => `loose/${name}`), hit: large.map((name) => `v/hit/${name}`), miss: large.map((name) => `v/miss/${name}`) };
const small = { bucket: "loose/small.bin", told: "loose/told.bin", hit: "v/hit/small.bin" };

/** The Worker, with passes as in a player's requests. */
class Lectern {
  static async start() {
    const lectern = new Lectern();
    lectern.server = await Server.ofProject(keys);
    return lectern;
  }

  async prepare() {
    const all = [...Object.values(names).flat(), ...Object.values(small)];
    const lines = all.map((name) => `#EXT-X-SESSION-DATA:DATA-ID="x",URI="${name}"\n`).join("");
    const playlist = Buffer.from(`#EXTM3U\n${lines}#EXT-X-STREAM-INF:BANDWIDTH=1\nv/1/playlist.m3u8\n`);
    const client = new Client(this.server.origin, 1);
    await this.put(client, "master.m3u8", playlist, "application/vnd.apple.mpegurl");
    const master = await client.fetch(`/bench/master.m3u8?token=${mint()}`);
    client.close();
    this.passes = new Map([...master.body.toString().matchAll(/URI="([^"?]*)(\?[^"]*)"/g)].map(([, name, pass]) => [name, pass]));
  }

  url(name) {
    return `/bench/${name}${this.passes.get(name)}`;
  }

  put(client, name, body, type = "application/octet-stream") {
    return put(client, name, body, { Authorization: `Bearer ${mint({ use: "upload" })}`, "Content-Type": type });
  }
}

/** Unchecked JavaScript. */
class Bare {
  static async start() {
    const bare = new Bare();
    bare.server = await Server.ofProject(keys, "bench/js/bare.js");
    return bare;
  }

  async prepare() {}

  url(name) {
    return `/bench/${name}${name.startsWith("v/") ? "?cached" : name === small.told ? "?told" : ""}`;
  }

  put(client, name, body) {
    return put(client, name, body, {});
  }
}

async function put(client, name, body, headers) {
  const told = await client.fetch(`/bench/${name}`, { method: "PUT", headers: { ...headers, "Content-Length": body.length }, body });
  if (told.status !== 200) {
    throw new Error(`PUT ${name}: ${told.status} ${told.broke ?? told.body}`);
  }
}

/** Reads `names` over the client's connections. Returns the time. */
async function ask(side, client, connections, names, length, source) {
  const [cpu, wall] = [side.server.cpuOfWorker(), performance.now()];
  const queue = names.values();
  const reader = async () => {
    for (const name of queue) {
      const told = await client.send(side.url(name));
      const found = /desc=(\w+)/.exec(told.headers["server-timing"] ?? "")?.[1] ?? "miss";
      if (told.broke !== undefined || told.status !== 200 || told.length !== length || found !== source) {
        throw new Error(`${side.url(name)}: ${told.status}, ${told.length} bytes, cache ${found} ${told.broke ?? ""}`);
      }
    }
  };
  await Promise.all(Array.from({ length: connections }, reader));
  const took = performance.now() - wall;
  // Filling the cache and writing the log continue after the last byte.
  await sleep(30);
  const micros = cpu === undefined ? NaN : (side.server.cpuOfWorker() - cpu) / 1000;
  return { rate: (names.length * length) / 1e3 / took, micros: micros / names.length };
}

async function measureBodies(sides) {
  const bytes = randomBytes(LARGE);
  const rows = [
    [`bodies of 3 MiB, MB/s: median (10 %–90 %) of ${rounds} rounds`, "connections", "Lectern", "JavaScript", "ratio %", "CPU ms", "JS's CPU ms"],
  ];
  for (const connections of CONNECTIONS) {
    const clients = sides.map(({ server }) => new Client(server.origin, connections));
    const rest = async (kind) => {
      for (const [at, side] of sides.entries()) {
        await Promise.all(names[kind].map((name) => side.put(clients[at], name, bytes)));
      }
      // The cache deletes the old entry after the answer.
      await sleep(100);
    };
    await rest("bucket");
    await rest("hit");
    const found = { bucket: [[], []], hit: [[], []], miss: [[], []] };
    for (let round = -2; round < rounds; round++) {
      await rest("miss");
      for (const kind of ["bucket", "hit", "miss"]) {
        // The order of the sides alternates.
        for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
          const source = kind === "hit" && round > -2 ? "hit" : "miss";
          const taken = await ask(sides[at], clients[at], connections, names[kind], LARGE, source);
          if (round >= 0) {
            found[kind][at].push(taken);
          }
        }
      }
    }
    clients.forEach((client) => client.close());
    const rate = ([ours, theirs]) => [ours, theirs].map((taken) => taken.map(({ rate }) => rate));
    const row = (name, [ours, theirs]) => {
      const [our, their] = rate([ours, theirs]);
      const ratio = our.map((rate, at) => (100 * rate) / their[at]);
      const cpu = [ours, theirs].map((taken) => (quantile(taken.map(({ micros }) => micros), 0.5) / 1000).toFixed(2));
      rows.push([name, String(connections), shown(summary(our)), shown(summary(their)), shown(summary(ratio)), ...cpu]);
    };
    row("from the bucket, not kept — JS without a cache", found.bucket);
    row("cache hit — JS with a cache, hit", found.hit);
    row("cache hit — JS without a cache", [found.hit[0], found.bucket[1]]);
    row("cache miss, filling — JS with a cache, filling", found.miss);
    row("cache miss, filling — JS without a cache", [found.miss[0], found.bucket[1]]);
  }
  print(rows);
}

async function measureRequests(sides) {
  const bytes = randomBytes(SMALL);
  const connections = 8;
  const clients = sides.map(({ server }) => new Client(server.origin, connections));
  const rows = [
    [`objects of 1 KiB, µs of CPU a request: median (10 %–90 %), ${rounds} × ${requests.small}`, "Lectern", "JavaScript", "more"],
  ];
  const kinds = { bucket: "from the bucket — JS without a cache", told: "from the bucket — JS with our headers and a log line", hit: "cache hit — JS with a cache, hit" };
  for (const [kind, title] of Object.entries(kinds)) {
    for (const [at, side] of sides.entries()) {
      await side.put(clients[at], small[kind], bytes);
      await sleep(100);
      await ask(side, clients[at], 1, [small[kind]], SMALL, "miss");
    }
    const found = [[], []];
    for (let round = -3; round < rounds; round++) {
      for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) {
        const { micros } = await ask(sides[at], clients[at], connections, Array(requests.small).fill(small[kind]), SMALL, kind === "hit" ? "hit" : "miss");
        if (round >= 0) {
          found[at].push(micros);
        }
      }
    }
    const more = found[0].map((micros, at) => micros - found[1][at]);
    rows.push([title, ...[...found, more].map((micros) => shown(summary(micros)))]);
  }
  print(rows);
  clients.forEach((client) => client.close());
}

async function measureStarts() {
  const found = { lectern: [], empty: [] };
  for (let at = 0; at < starts; at++) {
    for (const [side, main] of Object.entries({ lectern: undefined, empty: "bench/js/empty.js" })) {
      const server = await Server.ofProject(keys, main);
      found[side].push(server.cpuOfWorker() / 1e6);
      server.stop();
    }
  }
  const [lectern, empty] = [found.lectern, found.empty].map(summary);
  print([
    ["ms of CPU from the start to the first answer", "Lectern", "empty JavaScript", "more"],
    [`median (10 %–90 %) of ${starts} starts`, shown(lectern), shown(empty), (lectern.median - empty.median).toFixed(1)],
  ]);
}

if (only.includes("bodies") || only.includes("requests")) {
  const sides = [await Lectern.start(), await Bare.start()];
  for (const side of sides) {
    await side.prepare();
  }
  if (only.includes("bodies")) {
    await measureBodies(sides);
  }
  if (only.includes("requests")) {
    await measureRequests(sides);
  }
  sides.forEach(({ server }) => server.stop());
}
if (only.includes("starts")) {
  await measureStarts();
}
process.exit(0);
