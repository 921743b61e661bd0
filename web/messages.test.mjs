// Messages between the player page and the page around it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { relayMessages } from "./src/messages.ts";

const SCHOOL = "https://school.example";

/** A player in a page of `origin`, which is not known yet. */
function playerIn() {
  const sent = [];
  const sought = [];
  const window = new EventTarget();
  const { promise, resolve } = Promise.withResolvers();
  globalThis.parent = { postMessage: (message, origin) => sent.push([message, origin]) };
  globalThis.addEventListener = window.addEventListener.bind(window);
  const player = Object.assign(new EventTarget(), { seek: (seconds) => sought.push(seconds) });
  relayMessages(player, promise);
  const emit = (type, detail) => player.dispatchEvent(new CustomEvent(type, { detail }));
  const receive = (data, from = {}) =>
    window.dispatchEvent(
      Object.assign(new Event("message"), { data, origin: SCHOOL, source: parent, ...from }),
    );
  const settle = () => new Promise((resolve) => setTimeout(resolve));
  return { sent, sought, emit, receive, resolve, settle };
}

test("an event before the page is known is sent once it is", async () => {
  const { sent, emit, resolve, settle } = playerIn();
  emit("lectern:error", { code: "no_link" });
  emit("lectern:other", {});
  await settle();
  assert.deepEqual(sent, []);
  resolve(SCHOOL);
  await settle();
  assert.deepEqual(sent, [[{ type: "lectern:error", code: "no_link" }, SCHOOL]]);
});

test("a page without an origin gets nothing", async () => {
  for (const origin of [undefined, "null", "*", "file://"]) {
    const { sent, emit, resolve, settle } = playerIn();
    resolve(origin);
    emit("lectern:ended", {});
    await settle();
    assert.deepEqual(sent, [], String(origin));
  }
});

test("the page around seeks to a second, and no other page does", async () => {
  const { sought, receive, resolve, settle } = playerIn();
  receive({ type: "lectern:seek", seconds: 5 });
  resolve(SCHOOL);
  for (const seconds of [NaN, Infinity, "7", undefined, {}])
    receive({ type: "lectern:seek", seconds });
  for (const data of [null, "lectern:seek", { type: "lectern:other", seconds: 8 }]) receive(data);
  receive({ type: "lectern:seek", seconds: 9 }, { origin: "https://evil.example" });
  receive({ type: "lectern:seek", seconds: 9 }, { source: {} });
  await settle();
  assert.deepEqual(sought, [5]);
});
