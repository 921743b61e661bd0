// Uploads of the recorder against an edge and a disk in memory.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Recording } from "./src/record/recording.ts";
import { Uploader } from "./src/record/uploader.ts";

const FOLDER = "https://edge.example/courses/live/7/";
const SHAPE = { width: 640, height: 480, frameRate: 30, bitRate: 800_000 };
const MASTER = "master.m3u8";

/** Timers of pages that are open. */
const tickers = new Set();
globalThis.TICKER = "ticker.js";
globalThis.Worker = class {
  postMessage() {
    tickers.add(this);
  }
  terminate() {
    tickers.delete(this);
  }
};
globalThis.addEventListener ??= () => {};
globalThis.removeEventListener ??= () => {};

/** An edge in memory, as src/operation/write.rs answers. */
class MemoryEdge {
  objects = new Map();
  log = [];
  /** Answers before the edge does, or loses its answer. */
  fault = () => undefined;

  fetch = async (url, { method, headers, body, signal }) => {
    const name = url.slice(url.lastIndexOf("/") + 1);
    this.log.push(`${method} ${name}`);
    await this.pass(this.fault(method, name, "before"), signal);
    const answer = this.answer(method, url, headers, body);
    await this.pass(this.fault(method, name, "after"), signal);
    return this.refusal ?? answer;
  };

  refusal = undefined;
  /** Fails, waits for ever or refuses as a fault says. */
  async pass(fault, signal) {
    this.refusal = typeof fault === "object" ? fault : undefined;
    if (fault === "lost") throw new TypeError("the line is cut");
    if (fault === "hangs") {
      await new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    }
  }

  answer(method, url, headers, body) {
    if (this.refusal) return this.refusal;
    const tag = this.tagOf(url);
    const { "If-Match": match, "If-None-Match": noneMatch } = headers;
    const isFalse = (match && !match.split(", ").includes(tag)) || (noneMatch === "*" && tag);
    if (isFalse) return Response.json({ code: "precondition_failed" }, { status: 412 });
    if (method === "DELETE") this.objects.delete(url);
    else this.objects.set(url, Buffer.from(body));
    return new Response("{}", { status: 201, headers: { ETag: this.tagOf(url) ?? "" } });
  }

  tagOf(url) {
    const bytes = this.objects.get(url);
    return bytes && `"${createHash("md5").update(bytes).digest("hex")}"`;
  }

  text = (name, folder = FOLDER) => this.objects.get(folder + name)?.toString();
  names = (folder = FOLDER) => [...this.objects.keys()].filter((url) => url.startsWith(folder));
  count = (step) => this.log.filter((entry) => entry === step).length;
}

/** The store of a browser, in memory. */
function memoryStore() {
  const [bodies, rows] = [new Map(), new Map()];
  const store = {
    canRead: true,
    save: async (row) => void rows.set(row.folder, row),
    saveSegment: async () => {},
    remove: async (folder) => void rows.delete(folder),
    body: async (_, number) => {
      if (!store.canRead) throw new DOMException("gone", "UnknownError");
      return bodies.get(number);
    },
    put: (number) => bodies.set(number, Uint8Array.of(number).buffer),
  };
  return store;
}

let edge;
beforeEach(() => {
  mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  edge = new MemoryEdge();
  globalThis.fetch = edge.fetch;
});
afterEach(() => mock.timers.reset());

async function settle() {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets the page's time pass. */
async function pass(ms) {
  for (let left = ms; left > 0; left -= 500) {
    mock.timers.tick(Math.min(500, left));
    for (const ticker of tickers) ticker.onmessage();
    await settle();
  }
}

/** A recording that is being stored. */
async function begin(folder = FOLDER, replaced = []) {
  const store = memoryStore();
  const facts = { folder, shape: SHAPE, hasAudio: false, replaced };
  const recording = await Recording.create(store, facts);
  await recording.update({ init: new ArrayBuffer(8) });
  const page = { recording, store, troubles: [], uploader: undefined };
  page.upload = () => {
    page.uploader = new Uploader(recording, "token");
    page.uploader.onTrouble = (trouble) => page.troubles.push(trouble?.kind ?? "none");
    recording.onChange = () => page.uploader.wake();
    page.over = page.uploader.run();
  };
  page.record = () => {
    const number = recording.nextNumber;
    const keyframe = { offset: 0, bytes: 1 };
    const segment = { folder, number, seconds: 2, bytes: 1, frames: 60, frameSeconds: 2, keyframe, isStored: false };
    store.put(number);
    recording.segments.push(segment);
    recording.onChange();
    return settle();
  };
  page.finish = async () => {
    await recording.update({ isStopped: true });
    await settle();
  };
  page.close = async () => {
    page.uploader.close();
    await page.over;
  };
  page.upload();
  await settle();
  return page;
}

const lines = (text) => text.split("\n").filter((line) => line && !line.startsWith("#"));

test("a recording is stored whole, and then announced", async () => {
  const page = await begin();
  for (let count = 0; count < 3; count++) await page.record();
  await page.finish();
  await page.over;
  const [playlist] = lines(edge.text(MASTER));
  assert.equal(lines(edge.text(playlist)).length, 3);
  assert.ok(edge.text(playlist).includes("#EXT-X-ENDLIST"));
  assert.equal(edge.log.at(-1), "PUT ended");
  assert.equal(edge.count(`PUT ${MASTER}`), 2);
  assert.deepEqual(page.troubles, []);
});

test("the section and the first segment go up together, then both playlists", async () => {
  const waves = [];
  let free = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (url, init) => {
    await new Promise((resolve) => free.push([url.slice(FOLDER.length).split("-")[0], resolve]));
    return fetch(url, init);
  };
  const page = await begin();
  await page.record();
  while (free.length > 0 && waves.length < 9) {
    waves.push(free.map(([name]) => name).sort());
    const now = free;
    free = [];
    for (const [, resolve] of now) resolve();
    await settle();
  }
  assert.deepEqual(waves, [["init", "segment"], ["master.m3u8", "playlist"]]);
  await page.close();
});

test("two recordings in one folder never share an object", async () => {
  const first = await begin();
  await first.record();
  await first.finish();
  await first.over;
  const before = new Map(edge.objects);
  const second = await begin();
  await second.record();
  assert.deepEqual(second.troubles, ["exists"]);
  await second.record();
  await pass(60_000);
  // Nothing of the first has changed, and nothing more goes up.
  for (const [url, body] of before) assert.equal(edge.objects.get(url), body, url);
  const size = edge.objects.size;
  await second.close();
  await second.uploader.discard().catch(() => {});
  await new Uploader(second.recording, "token").discard();
  assert.ok(edge.objects.size < size);
  assert.deepEqual(edge.names(), [...before.keys()]);
  // A link to another folder stores all of it there.
  const other = "https://edge.example/courses/live/8/";
  await second.recording.moveTo(other);
  second.upload();
  await second.finish();
  await second.over;
  assert.equal(lines(edge.text(lines(edge.text(MASTER, other))[0], other)).length, 2);
  assert.deepEqual(edge.names(), [...before.keys()]);
});

test("a lost answer to a Multivariant Playlist is no other recording", async () => {
  for (const when of ["before", "after"]) {
    for (const lost of [1, 2]) {
      edge.objects.clear();
      const page = await begin();
      let puts = 0;
      edge.fault = (method, name, at) =>
        method === "PUT" && name === MASTER && at === when && ++puts === lost ? "lost" : undefined;
      await page.record();
      await page.record();
      await page.finish();
      await pass(5_000);
      await page.over;
      assert.deepEqual(page.troubles, ["offline", "none"], `${when} ${lost}`);
      assert.ok(edge.text(MASTER).includes("AVERAGE-BANDWIDTH"));
    }
  }
});

test("another recording that came first during a lost answer is not replaced", async () => {
  const page = await begin();
  edge.fault = (method, name, at) => {
    if (name !== MASTER || at !== "before") return undefined;
    edge.fault = () => undefined;
    edge.objects.set(FOLDER + MASTER, Buffer.from("other"));
    return "lost";
  };
  await page.record();
  await pass(5_000);
  assert.deepEqual(page.troubles, ["offline", "exists"]);
  assert.equal(edge.text(MASTER), "other");
  await page.close();
});

test("a recording that starts over replaces its own playlist, and no name comes back", async () => {
  const first = await begin();
  await first.record();
  await first.close();
  const before = edge.names();
  // The line is cut, so that nothing of the first is removed.
  edge.fault = () => "lost";
  await new Uploader(first.recording, "token").discard();
  edge.fault = () => undefined;
  const second = await begin(FOLDER, first.recording.row.masterTags);
  await second.record();
  assert.deepEqual(second.troubles, []);
  const after = edge.names().filter((name) => !before.includes(name));
  assert.equal(after.length, 3);
  await second.close();
});

test("a discarded recording takes its own objects, and leaves a package's playlist", async () => {
  const page = await begin();
  await page.record();
  await page.close();
  edge.objects.set(FOLDER + "notes.txt", Buffer.from("x"));
  await new Uploader(page.recording, "token").discard();
  assert.deepEqual(edge.names(), [FOLDER + "notes.txt"]);

  const packaged = await begin();
  await packaged.record();
  await packaged.finish();
  await packaged.over;
  edge.objects.set(FOLDER + MASTER, Buffer.from("v/aa/480p/playlist.m3u8"));
  const before = edge.names();
  await new Uploader(packaged.recording, "token").discard();
  assert.deepEqual(edge.names(), before);
});

test("a trouble stays until its own lane succeeds", async () => {
  const page = await begin();
  await page.record();
  const refusal = Response.json({ detail: "too large" }, { status: 413 });
  edge.fault = (method, name) => (name.endsWith("-2.m4s") ? refusal.clone() : undefined);
  await page.record();
  await page.record();
  await pass(2_000);
  assert.equal(edge.log.some((step) => step.endsWith("-3.m4s")), true);
  assert.deepEqual(page.troubles, ["refused"]);
  edge.fault = (method, name) => (name.endsWith("-2.m4s") ? "lost" : undefined);
  page.uploader.goOn("other");
  await pass(4_000);
  assert.deepEqual(page.troubles, ["refused", "offline"]);
  edge.fault = () => undefined;
  await pass(20_000);
  assert.deepEqual(page.troubles, ["refused", "offline", "none"]);
  await page.close();
});

test("an expired link stops every lane until there is a new one", async () => {
  const page = await begin();
  await page.record();
  const expired = Response.json({ code: "expired" }, { status: 403 });
  edge.fault = () => expired.clone();
  await page.record();
  await page.record();
  await pass(60_000);
  const sent = edge.log.length;
  await pass(60_000);
  assert.deepEqual([page.troubles, edge.log.length], [["new_link"], sent]);
  edge.fault = () => undefined;
  page.uploader.goOn("new");
  await settle();
  assert.deepEqual(page.troubles, ["new_link", "none"]);
  await page.close();
});

test("a segment that the disk does not give back is told, and tried again", async () => {
  const page = await begin();
  await page.record();
  page.store.canRead = false;
  await page.record();
  assert.deepEqual(page.troubles, ["unreadable"]);
  page.store.canRead = true;
  await pass(2_000);
  await page.finish();
  await page.over;
  assert.deepEqual(page.troubles, ["unreadable", "none"]);
});

test("a playlist is stored every 30 seconds, also while a segment takes long", async () => {
  const hangs = (_, name) => (name.endsWith("-2.m4s") ? "hangs" : undefined);
  for (const fault of [() => undefined, hangs]) {
    const page = await begin();
    await page.record();
    edge.fault = fault;
    await page.record();
    const isPlaylist = (step) => step.startsWith("PUT playlist-");
    const count = () => edge.log.filter(isPlaylist).length;
    for (let half = 0; half < 6; half++) {
      const before = count();
      await pass(30_000);
      assert.ok(count() > before, `half minute ${half}`);
    }
    await page.close();
    edge.fault = () => undefined;
    edge.objects.clear();
  }
});
