// Uploads of the studio page against an edge and a journal in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryJournal } from "./src/studio/memory-journal.ts";
import { abandon, Upload } from "./src/studio/upload.ts";

const MIB = 2 ** 20;
const PATH = "/uploads/rails/a.mp4";

/** An edge in memory, as src/operation/write.rs answers. `fault` may answer first, or lose answers. */
class MemoryEdge {
  objects = new Map();
  uploads = new Map();
  log = [];
  fault = () => undefined;

  async send(request) {
    const { method, path, query = "", body, signal } = request;
    signal.throwIfAborted();
    const step = `${method} ${query.replace(/uploadId=\w+/, "id")}`.trim();
    this.log.push(step);
    const before = this.fault(step, "before");
    if (before) return before;
    const answer = await this.answer(request, new URLSearchParams(query), method, path, body);
    return this.fault(step, "after") ?? answer;
  }

  async answer({ isNew, onProgress }, query, method, path, body) {
    const [id, number] = [query.get("uploadId"), query.get("partNumber")];
    if (isNew && this.objects.has(path) && !number) return { status: 412, code: "precondition_failed" };
    if (query.has("uploads")) {
      const uploadId = `u${this.uploads.size + 1}`;
      this.uploads.set(uploadId, new Map());
      return { status: 201, body: JSON.stringify({ uploadId }) };
    }
    if (method === "PUT" && !id) {
      this.objects.set(path, await body.text());
      return { status: 201, body: "{}" };
    }
    const parts = this.uploads.get(id);
    if (!parts) return { status: 404, code: "no_upload" };
    if (method === "DELETE") return this.uploads.delete(id), { status: 204 };
    if (method === "PUT") {
      onProgress?.(body.size);
      parts.set(Number(number), await body.text());
      return { status: 200, body: JSON.stringify({ partNumber: Number(number), etag: `e${number}` }) };
    }
    const listed = JSON.parse(body).parts;
    if (listed.some(({ partNumber, etag }) => !parts.has(partNumber) || etag !== `e${partNumber}`)) return { status: 400, code: "bad_upload" };
    this.objects.set(path, listed.map(({ partNumber }) => parts.get(partNumber)).join(""));
    this.uploads.delete(id);
    return { status: 201, body: "{}" };
  }

  count = (step) => this.log.filter((entry) => entry === step).length;
}

function around(size, change = {}) {
  const [edge, journal] = [new MemoryEdge(), new MemoryJournal()];
  const file = new Blob([Buffer.alloc(size, "lecture ")]);
  const identity = { name: "a.mp4", size, lastModified: 0, head: "", tail: "" };
  const entry = { path: PATH, file: identity, partBytes: 16 * MIB, mayReplace: false, isCompleting: false, isStored: false, begun: 0, ...change };
  const seen = { progress: 0, waits: 0, restarts: 0 };
  let clock = 0;
  const ports = {
    edge,
    journal,
    wait: async (ms, signal) => ((clock += ms), (seen.waits += 1), signal.throwIfAborted()),
    now: () => clock,
    onProgress: (bytes) => (seen.progress = bytes),
    onWaiting: () => {},
    onRestart: () => (seen.restarts += 1),
  };
  const run = async (signal = new AbortController().signal) =>
    new Upload(file, (await journal.get(PATH)) ?? entry, ports, signal).run();
  const isWhole = async () => edge.objects.get(PATH) === (await file.text());
  return { edge, journal, file, run, isWhole, seen, ports, entry, pass: (ms) => (clock += ms) };
}

test("a small file is one request, and a large one goes up in parts", async () => {
  const small = around(1_000);
  assert.deepEqual(await small.run(), { name: "stored" });
  assert.deepEqual([small.edge.log, await small.isWhole()], [["PUT"], true]);
  assert.equal((await small.journal.get(PATH)).isStored, true);
  const large = around(40 * MIB);
  assert.deepEqual(await large.run(), { name: "stored" });
  assert.deepEqual(large.edge.log, ["POST uploads", "POST id", "PUT id&partNumber=1", "PUT id&partNumber=2", "PUT id&partNumber=3", "POST id"]);
  assert.deepEqual([await large.isWhole(), large.seen.progress], [true, 40 * MIB]);
  // A second run sends nothing.
  assert.deepEqual(await large.run(), { name: "stored" });
  assert.equal(large.edge.log.length, 6);
});

test("an upload that was stopped sends no acknowledged part again", async () => {
  for (const stop of [1, 2, 3, 4]) {
    const { edge, run, isWhole } = around(100 * MIB);
    const controller = new AbortController();
    let answers = 0;
    edge.fault = (step, when) => {
      if (when === "after" && step.includes("partNumber") && ++answers === stop) controller.abort();
    };
    await assert.rejects(run(controller.signal));
    edge.fault = () => undefined;
    assert.deepEqual(await run(), { name: "stored" });
    assert.equal(await isWhole(), true);
    const sent = [1, 2, 3, 4, 5, 6, 7].map((number) => edge.count(`PUT id&partNumber=${number}`));
    // Parts whose answers the journal has not seen may go up twice: one a lane.
    assert.ok(sent.filter((times) => times === 2).length <= 3 && sent.every((times) => times >= 1 && times <= 2), `${sent}`);
    assert.equal(edge.count("POST uploads"), 1);
  }
});

test("an upload waits for a line that is cut, however long", async () => {
  const { edge, run, isWhole, seen } = around(40 * MIB);
  let failures = 0;
  edge.fault = (step, when) => (when === "before" && step.includes("partNumber=2") && ++failures < 200 ? { status: 0 } : undefined);
  assert.deepEqual(await run(), { name: "stored" });
  assert.deepEqual([await isWhole(), seen.waits], [true, 199]);
});

test("an object of the same name is asked about before the first part", async () => {
  for (const size of [1_000, 40 * MIB]) {
    const { edge, run, isWhole, journal } = around(size);
    edge.objects.set(PATH, "other");
    assert.deepEqual(await run(), { name: "exists", isMaybeOwn: false });
    assert.equal(edge.log.some((step) => step.includes("partNumber")), false);
    assert.equal(edge.objects.get(PATH), "other");
    // Another visit asks again.
    assert.equal((await run()).name, "exists");
    const entry = await journal.get(PATH);
    await journal.put({ ...entry, mayReplace: true });
    assert.deepEqual(await run(), { name: "stored" });
    assert.equal(await isWhole(), true);
  }
});

test("an object that appears while the parts go up is not replaced", async () => {
  const { edge, run } = around(40 * MIB);
  edge.fault = (step, when) => void (when === "after" && step.includes("partNumber=3") && edge.objects.set(PATH, "other"));
  assert.deepEqual(await run(), { name: "exists", isMaybeOwn: false });
  assert.equal(edge.objects.get(PATH), "other");
});

test("an upload whose last answer is lost is stored once", async () => {
  const large = around(40 * MIB);
  let completions = 0;
  large.edge.fault = (step, when) => (when === "after" && step === "POST id" && ++completions === 2 ? { status: 0 } : undefined);
  assert.deepEqual(await large.run(), { name: "stored" });
  assert.equal(await large.isWhole(), true);
  // The edge stored the object, and its queue took no message: a second upload is announced.
  const unannounced = around(40 * MIB);
  completions = 0;
  unannounced.edge.fault = (step, when) => (when === "after" && step === "POST id" && ++completions === 2 ? { status: 503 } : undefined);
  assert.deepEqual(await unannounced.run(), { name: "unannounced" });
  assert.deepEqual(await unannounced.run(), { name: "stored" });
  assert.equal(unannounced.edge.count("PUT id&partNumber=1"), 2);
  // The browser was killed before it saw the answer.
  const killed = around(40 * MIB);
  const controller = new AbortController();
  completions = 0;
  killed.edge.fault = (step, when) => void (when === "after" && step === "POST id" && ++completions === 2 && controller.abort());
  await killed.run(controller.signal);
  const entry = await killed.journal.get(PATH);
  await killed.journal.put({ ...entry, isStored: false });
  killed.edge.fault = () => undefined;
  assert.deepEqual(await killed.run(), { name: "stored" });
  // One request has no such proof: the person decides.
  const small = around(1_000);
  let puts = 0;
  small.edge.fault = (step, when) => (when === "after" && step === "PUT" && ++puts === 1 ? { status: 0 } : undefined);
  assert.deepEqual(await small.run(), { name: "exists", isMaybeOwn: true });
});

test("a status that an earlier upload left is read once, before the object is stored", async () => {
  for (const size of [1_000, 40 * MIB]) {
    const { edge, run, ports, journal } = around(size);
    const reads = [];
    ports.readStatusTime = async () => (reads.push(edge.log.length), 100 + reads.length);
    edge.objects.set(PATH, "other");
    assert.equal((await run()).name, "exists");
    const entry = await journal.get(PATH);
    await journal.put({ ...entry, mayReplace: true });
    assert.deepEqual(await run(), { name: "stored" });
    assert.deepEqual([reads.length, (await journal.get(PATH)).statusBefore], [1, 101]);
  }
});

test("an expired link keeps the journal, and a new one goes on", async () => {
  const { edge, run, isWhole } = around(100 * MIB);
  let sent = 0;
  edge.fault = (step, when) => (when === "before" && step.includes("partNumber") && ++sent > 3 ? { status: 403, code: "expired" } : undefined);
  assert.deepEqual(await run(), { name: "link", code: "expired" });
  edge.fault = () => undefined;
  const before = edge.log.length;
  assert.deepEqual(await run(), { name: "stored" });
  assert.deepEqual([await isWhole(), edge.log.slice(before).filter((step) => step.includes("partNumber")).length], [true, 4]);
});

test("parts that storage forgot go up again, once", async () => {
  const { edge, run, isWhole, seen, journal, entry } = around(40 * MIB);
  await journal.put({ ...entry, uploadId: "forgotten" });
  await journal.acknowledge("forgotten", 1, "e1");
  assert.deepEqual(await run(), { name: "stored" });
  assert.deepEqual([await isWhole(), seen.restarts, edge.count("PUT id&partNumber=1")], [true, 1, 1]);
  const lost = around(40 * MIB);
  lost.edge.fault = (step, when) => (when === "before" && step.includes("partNumber") ? { status: 404, code: "no_upload" } : undefined);
  assert.equal((await lost.run()).name, "failed");
  // After a week, an unknown upload proves nothing.
  const old = around(40 * MIB);
  await old.journal.put({ ...old.entry, uploadId: "u9", isCompleting: true });
  for (const number of [1, 2, 3]) await old.journal.acknowledge("u9", number, `e${number}`);
  old.pass(7 * 86_400_000);
  assert.deepEqual(await old.run(), { name: "stored" });
  assert.deepEqual([await old.isWhole(), old.seen.restarts], [true, 1]);
});

test("a refusal stops every lane and is told", async () => {
  const { edge, run } = around(400 * MIB);
  edge.fault = (step, when) => {
    if (when !== "before" || !step.includes("partNumber")) return undefined;
    return step.endsWith("=2") ? { status: 413, code: "payload_too_large", detail: "16777216 bytes where 9 are allowed" } : { status: 0 };
  };
  assert.deepEqual(await run(), { name: "failed", status: 413, detail: "16777216 bytes where 9 are allowed" });
  assert.ok(edge.log.length < 9, `${edge.log}`);
});

test("a file that changed while it went up is told", async () => {
  const { edge, ports, entry } = around(1_000);
  edge.fault = () => ({ status: 0 });
  const gone = new Blob(["x"]);
  gone.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) });
  const upload = new Upload(gone, entry, ports, new AbortController().signal);
  assert.deepEqual(await upload.run(), { name: "file_changed" });
});

test("an upload that is given up is aborted at the edge", async () => {
  const { edge, run, journal, ports } = around(40 * MIB);
  edge.fault = (step, when) => (when === "before" && step.includes("partNumber") ? { status: 403, code: "expired" } : undefined);
  await run();
  await abandon(await journal.get(PATH), ports, new AbortController().signal);
  assert.deepEqual([edge.uploads.size, await journal.get(PATH), edge.log.at(-1)], [0, undefined, "DELETE id"]);
});
