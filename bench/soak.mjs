// A class that watches for a given time: `make soak [SECONDS=600]`. A package is published to a
// local edge and read over 64 connections. Every answer is compared with the published bytes. The
// runtime's memory is sampled every five seconds, and that of the Worker's isolate every thirty.
//
// It fails on a 5xx, a wrong byte, a broken connection, or growing memory.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join, posix } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";

import { Client, linkToken, print, quantile } from "./common.mjs";
import { Heap } from "./heap.mjs";
import { Server } from "./server.mjs";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    connections: { type: "string", default: "64" },
    package: { type: "string" },
    seed: { type: "string", default: "1" },
  },
});
const [seconds, connections] = [Number(options.seconds), Number(options.connections)];
const SAMPLE_SECONDS = 5;
/** Sampling the isolate collects garbage, which takes a tenth of a second. */
const SAMPLES_A_LOOK = 6;
/** The limit of the last quarter's mean, relative to the second. The first quarter fills caches and heaps, which a
 * short run does to its end. */
const MAY_GROW = { factor: 1.15, afterSeconds: 300 };
/** The sampled memory, and its allowed growth in bytes. The process contains the simulated bucket and cache. */
const WATCHED = {
  process: { name: "workerd, resident, each 5 s", bytes: 16e6, samples: [] },
  javascript: { name: "the isolate's JavaScript, after collecting garbage, each 30 s", bytes: 1e6, samples: [] },
  wasm: { name: "the isolate's WebAssembly memory, each 30 s", bytes: 0, samples: [] },
};

const secret = randomBytes(32);
const keys = [{ kid: "bench", secret: secret.toString("base64url") }];
const server = await Server.ofProject(keys);
const client = new Client(server.origin, connections);
const exp = Math.floor(Date.now() / 1000) + 86_400;
const mint = (claims) => linkToken(secret, { exp, ...claims });
const entityTags = {};
const random = generator(Number(options.seed));
const pick = (list) => list[Math.floor(random() * list.length)];

/** Published bytes, by URL path. */
const published = new Map();
publishPackage("/soak/lecture/");
await publishLong("/soak/long/");
const loose = "/soak/loose.bin";
await put(loose, "application/octet-stream", randomBytes(300_000));

// URLs of a viewer, collected as a player does: from the master playlists down.
const masters = [...published.keys()].filter((path) => path.endsWith("/master.m3u8"));
const playlists = [];
const objects = [];
for (const master of masters) {
  const listed = await listedBy(`${master}?token=${mint({ path: master, watch: 86_400 })}`);
  for (const playlist of listed.filter((url) => pathOf(url).endsWith(".m3u8"))) {
    playlists.push(playlist);
    objects.push(...(await listedBy(playlist)).filter((url) => published.has(pathOf(url))));
  }
}
const large = objects.filter((url) => published.get(pathOf(url)).length > 1e6);
const folder = `token=${mint({ path: "/soak/" })}`;

const kinds = [
  { name: "Multivariant Playlist", share: 8, ask: () => playlist(`${pick(masters)}?${folder}`) },
  { name: "Media Playlist", share: 18, ask: () => playlist(pick(playlists)) },
  { name: "Media Playlist, gzipped", share: 4, ask: () => playlist(pick(playlists), { gzip: true }) },
  { name: "segment", share: 44, ask: () => whole(pick(objects)) },
  { name: "segment, a range", share: 10, ask: () => range(pick(objects)) },
  { name: "segment, HEAD", share: 4, ask: () => head(pick(objects)) },
  { name: "segment, not modified", share: 4, ask: () => notModified(pick(objects)) },
  { name: "segment, left half-way", share: 1, ask: () => left(pick(large)) },
  { name: "not cached", share: 4, ask: () => whole(`${loose}?${folder}`) },
  { name: "not cached, a range", share: 2, ask: () => range(`${loose}?${folder}`) },
  { name: "forged", share: 1, ask: () => forged(pick(objects)) },
];
const lots = kinds.flatMap((kind) => Array(kind.share).fill(kind));
for (const kind of kinds) {
  kind.micros = [];
  kind.bytes = 0;
}

const failures = { serverErrors: 0, wrong: 0, told: [] };
let heap = await Heap.of(server.inspector);
let missed = 0;
console.log(`==> ${seconds} s, ${connections} connections, ${published.size} objects`);
const began = performance.now();
const ends = began + seconds * 1000;
const sampler = sample();
await Promise.all(Array.from({ length: connections }, viewer));
const took = (performance.now() - began) / 1000;
await sampler;
report();
heap.close();
client.close();
server.stop();

async function viewer() {
  while (performance.now() < ends) {
    const kind = pick(lots);
    const asked = performance.now();
    const { told, problem } = await kind.ask();
    kind.micros.push(Math.round((performance.now() - asked) * 1000));
    kind.bytes += told.length;
    if (told.status >= 500) {
      failures.serverErrors += 1;
    }
    if (problem !== undefined) {
      failures.wrong += 1;
    }
    if ((told.status >= 500 || problem !== undefined) && failures.told.length < 20) {
      failures.told.push(`${kind.name}: ${told.status} ${problem ?? ""} ${told.broke ?? ""}`);
    }
  }
}

async function playlist(url, { gzip = false } = {}) {
  const told = await client.fetch(url, { headers: { "Accept-Encoding": gzip ? "gzip" : "identity" } });
  const is = expected(told, 200) ?? sameLength(told);
  if (is) {
    return { told, problem: is };
  }
  if (gzip !== (told.headers["content-encoding"] === "gzip")) {
    return { told, problem: `content-encoding ${told.headers["content-encoding"]}` };
  }
  const text = (gzip ? gunzipSync(told.body) : told.body).toString();
  const plain = text.replaceAll(/\?p=[\w-]+/g, "");
  const uris = text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
  const passes = text.match(/\?p=/g)?.length ?? 0;
  const isWhole = plain === published.get(pathOf(url)).toString() && passes > uris;
  return { told, problem: isWhole ? undefined : `${passes} passes, ${plain.length} bytes without them` };
}

async function whole(url) {
  const told = await client.fetch(url);
  return { told, problem: expected(told, 200) ?? sameLength(told) ?? sameBytes(told, published.get(pathOf(url))) };
}

async function range(url) {
  const bytes = published.get(pathOf(url));
  const first = Math.floor(random() * bytes.length);
  const last = Math.min(bytes.length - 1, first + Math.floor(random() * 200_000));
  const told = await client.fetch(url, { headers: { Range: `bytes=${first}-${last}` } });
  return { told, problem: expected(told, 206) ?? sameLength(told) ?? sameBytes(told, bytes.subarray(first, last + 1)) };
}

async function head(url) {
  const told = await client.send(url, { method: "HEAD" });
  const length = Number(told.headers["content-length"]);
  const isRight = told.length === 0 && length === published.get(pathOf(url)).length;
  return { told, problem: expected(told, 200) ?? (isRight ? undefined : `said ${length} bytes`) };
}

async function notModified(url) {
  entityTags[pathOf(url)] ??= (await client.send(url, { method: "HEAD" })).headers.etag;
  const told = await client.send(url, { headers: { "If-None-Match": entityTags[pathOf(url)] } });
  return { told, problem: expected(told, 304) ?? (told.length === 0 ? undefined : `${told.length} bytes`) };
}

/** A viewer who leaves in the middle of a segment. */
async function left(url) {
  const told = await client.send(url, { onChunk: () => false });
  return { told, problem: expected(told, 200) };
}

async function forged(url) {
  const told = await client.fetch(`${url.slice(0, -1)}${url.endsWith("A") ? "Q" : "A"}`);
  return { told, problem: [403, 429].includes(told.status) ? undefined : `${told.status}` };
}

function expected(told, status) {
  return told.broke ?? (told.status === status ? undefined : `not ${status}`);
}

/** A gzipped answer has no known length. */
function sameLength({ headers, length }) {
  const said = headers["content-length"];
  return said === undefined || Number(said) === length ? undefined : `${length} bytes of ${said}`;
}

function sameBytes({ body }, bytes) {
  return body.equals(bytes) ? undefined : `${body.length} bytes, not the ${bytes.length} that were published`;
}

async function sample() {
  for (let at = 0; at * SAMPLE_SECONDS <= seconds; at++) {
    await sleep(Math.max(0, began + at * SAMPLE_SECONDS * 1000 - performance.now()));
    WATCHED.process.samples.push(server.rss());
    if (at % SAMPLES_A_LOOK === 0) {
      await look();
    }
  }
}

/** If the inspector does not answer, the next sample connects again. */
async function look() {
  try {
    const { javascript, wasm } = await heap.look();
    WATCHED.javascript.samples.push(javascript);
    WATCHED.wasm.samples.push(wasm);
  } catch {
    missed += 1;
    heap.close();
    heap = await Heap.of(server.inspector).catch(() => heap);
  }
}

function report() {
  const all = kinds.flatMap(({ micros }) => micros);
  const milliseconds = (micros, fraction) => (micros.length ? (quantile(micros, fraction) / 1000).toFixed(1) : "–");
  const row = (name, micros, bytes) => [
    name,
    micros.length.toLocaleString("en"),
    (micros.length / took).toFixed(1),
    milliseconds(micros, 0.5),
    milliseconds(micros, 0.99),
    milliseconds(micros, 1),
    (bytes / 1e6).toFixed(0),
  ];
  print([
    ["", "requests", "requests/s", "p50 ms", "p99 ms", "most ms", "MB"],
    ...kinds.map(({ name, micros, bytes }) => row(name, micros, bytes)),
    row(`all, in ${took.toFixed(0)} s`, all, kinds.reduce((sum, { bytes }) => sum + bytes, 0)),
  ]);

  const grown = Object.values(WATCHED).map(grownRow);
  print([["memory, MB", "at 10 %", "at 50 %", "at 100 %", "most", "2nd quarter", "4th quarter", "4th may be"], ...grown.map(({ row }) => row)]);
  const grows = seconds >= MAY_GROW.afterSeconds && grown.some(({ isMore }) => isMore);
  print([
    ["5xx", String(failures.serverErrors)],
    ["short, broken or other than published", String(failures.wrong)],
  ]);
  failures.told.forEach((failure) => console.log(`✘ ${failure}`));
  if (grows) {
    console.log("✘ memory grows");
  }
  if (seconds < MAY_GROW.afterSeconds) {
    console.log(`! memory is not judged in under ${MAY_GROW.afterSeconds} s`);
  }
  if (missed > 0) {
    console.log(`! ${missed} looks at the isolate had no answer`);
  }
  if (WATCHED.process.samples.some(Number.isNaN)) {
    console.log("! no /proc here: the memory of the process was not looked at");
  }
  process.exitCode = failures.serverErrors + failures.wrong > 0 || grows || all.length === 0 ? 1 : 0;
}

function grownRow({ name, bytes, samples }) {
  const at = (fraction) => samples[Math.round((samples.length - 1) * fraction)];
  const quarter = (number) => mean(samples.slice(Math.floor(((number - 1) * samples.length) / 4), Math.ceil((number * samples.length) / 4)));
  const [second, last] = [quarter(2), quarter(4)];
  const most = second * MAY_GROW.factor + bytes;
  const figures = [at(0.1), at(0.5), at(1), Math.max(...samples), second, last, most];
  return { row: [name, ...figures.map(megabytes)], isMore: last > most };
}

function publishPackage(prefix) {
  const package_ = options.package;
  const target = `${server.origin}${prefix}`;
  execFileSync("target/debug/lectern", ["publish", package_, target], {
    env: { ...process.env, LECTERN_KEYS: JSON.stringify(keys) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  for (const entry of readdirSync(package_, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) {
      const file = join(entry.parentPath, entry.name);
      published.set(prefix + posix.relative(package_, file), readFileSync(file));
    }
  }
}

/** A lecture of 45 minutes with its first eight segments of 3 MiB each. */
async function publishLong(prefix) {
  const type = "application/vnd.apple.mpegurl";
  const entry = (_, at) => `#EXTINF:4.000000,\nseg${String(at).padStart(5, "0")}.m4s\n`;
  const playlist =
    '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI="init.mp4"\n' +
    `${Array.from({ length: 675 }, entry).join("")}#EXT-X-ENDLIST\n`;
  for (let at = 0; at < 8; at++) {
    await put(`${prefix}v/1/seg${String(at).padStart(5, "0")}.m4s`, "video/mp4", randomBytes(3 << 20));
  }
  await put(`${prefix}v/1/playlist.m3u8`, type, Buffer.from(playlist));
  const master = '#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID="x",URI="v/1/init.mp4"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/1/playlist.m3u8\n';
  await put(`${prefix}master.m3u8`, type, Buffer.from(master));
}

async function put(path, type, body) {
  const headers = { Authorization: `Bearer ${mint({ path: "/soak/", use: "upload" })}`, "Content-Type": type };
  const told = await client.fetch(path, { method: "PUT", headers: { ...headers, "Content-Length": body.length }, body });
  if (told.status !== 200) {
    throw new Error(`PUT ${path}: ${told.status} ${told.body}`);
  }
  published.set(path, body);
}

/** The URLs that a playlist lists. */
async function listedBy(url) {
  const { status, body } = await client.fetch(url);
  if (status !== 200) {
    throw new Error(`${url}: ${status} ${body}`);
  }
  const uris = body.toString().matchAll(/^(?!#)(.+)$|URI="([^"]*)"/gm);
  return [...uris].map(([, line, attribute]) => posix.join(posix.dirname(pathOf(url)), line ?? attribute));
}

function pathOf(url) {
  return url.split("?")[0];
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 2 : 0);
}

/** Mulberry32: equal seeds make the same requests in the same order. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
