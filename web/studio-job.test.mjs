// Uploads of two tabs of one browser, which share the journal and the locks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { UploadJob } from "./src/studio/job.ts";
import { MemoryJournal } from "./src/studio/memory-journal.ts";
import { TurnQueue } from "./src/studio/slots.ts";

/** Locks of a browser, as the Web Locks API has them. */
class MemoryLocks {
  #held = new Map();

  async request(name, { ifAvailable = false }, act) {
    if (ifAvailable && this.#held.has(name)) return act(null);
    while (this.#held.has(name)) await this.#held.get(name);
    const result = Promise.resolve().then(() => act({ name }));
    const over = result.then(() => this.#held.delete(name));
    this.#held.set(name, over);
    return result;
  }
}
Object.defineProperty(globalThis, "navigator", { value: { locks: new MemoryLocks(), onLine: true } });
globalThis.addEventListener ??= () => {};
globalThis.document ??= { addEventListener() {}, visibilityState: "visible" };

/** The edge, which holds the answer to the first upload until `release`. */
class MemoryEdge {
  objects = new Map();
  status = undefined;
  asked = 0;
  held = new Promise((resolve) => (this.release = resolve));

  async send({ path, body, isNew }) {
    await this.held;
    if (isNew && this.objects.has(path)) return { status: 412, code: "precondition_failed" };
    this.objects.set(path, await body.text());
    return { status: 201, body: "{}" };
  }

  async readStatus() {
    this.asked += 1;
    return this.status;
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
async function until(job, ...names) {
  while (!names.includes(job.state.name)) await turn();
}

/** A tab with a file of the name `a.mp4`. */
function tab(client, journal, text) {
  const page = {
    client,
    journal,
    turns: new TurnQueue(),
    folder: "/uploads/rails/",
    hints: () => ({}),
    hasPath: () => false,
    onChange() {},
    onNotice() {},
    remove: () => (page.isRemoved = true),
  };
  const file = new File([text], "a.mp4", { lastModified: 1 });
  return { page, job: new UploadJob(page, "a.mp4", file) };
}

test("of two tabs with different files of one name, the second is asked", async () => {
  const [edge, journal] = [new MemoryEdge(), new MemoryJournal()];
  const [one, other] = ["one", "other"].map((text) => tab(edge, journal, text));
  one.job.start();
  await until(one.job, "sending");
  other.job.start();
  await until(other.job, "other_tab", "exists", "stored");
  assert.equal(other.job.state.name, "exists");
  edge.release();
  await until(one.job, "stored");
  assert.equal(edge.objects.get(one.job.path), "one");
  await other.job.rename();
  await until(other.job, "stored");
  assert.deepEqual([...edge.objects.values()], ["one", "other"]);
  for (const { job } of [one, other]) job.remove();
});

test("a second tab with the same file shows what the first does", async () => {
  const [edge, journal] = [new MemoryEdge(), new MemoryJournal()];
  const [one, other] = ["one", "one"].map((text) => tab(edge, journal, text));
  one.job.start();
  await until(one.job, "sending");
  other.job.start();
  await until(other.job, "other_tab", "exists", "stored");
  assert.equal(other.job.state.name, "other_tab");
  edge.release();
  await until(other.job, "stored");
  assert.equal(edge.objects.size, 1);
  for (const { job } of [one, other]) job.remove();
});

test("a status of an earlier upload does not count", async () => {
  const [edge, journal] = [new MemoryEdge(), new MemoryJournal()];
  edge.release();
  edge.status = JSON.stringify({ state: "done", updated: 7 });
  const { job } = tab(edge, journal, "one");
  job.start();
  await until(job, "stored");
  while (edge.asked < 2) await turn();
  await turn();
  assert.equal(job.state.packaging, undefined);
  job.remove();
});
