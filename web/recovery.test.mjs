// Recoveries from damaged segments, failed loads and errors of the browser's own player. A stand-in
// for hls.js notes what it is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import Hls from "hls.js";

// web/build.mjs writes the origins of web/origins.txt here.
globalThis.ORIGINS = ["https://h"];
const { MediaRecovery } = await import("./src/media-recovery.ts");
const { NativePlayback } = await import("./src/native-playback.ts");
const { NetworkRecovery } = await import("./src/network-recovery.ts");
const { Playback } = await import("./src/playback.ts");
const { Renewal } = await import("./src/renewal.ts");
const { Position } = await import("./src/start.ts");

const LINK = new URL("https://h/a/master.m3u8?token=e30.e30.x");
const { ErrorDetails, ErrorTypes } = Hls;

/** Segments of ten seconds. */
const segments = Array.from({ length: 6 }, (_, at) => ({ start: 10 * at, end: 10 * at + 10 }));

/** A playback that plays `second`, and what it was told. */
function playing(second, link = LINK) {
  const told = [];
  const tell = (what) => void told.push(what);
  const video = Object.assign(new EventTarget(), {
    currentTime: second,
    paused: false,
    error: null,
    playbackRate: 1,
    pause: () => tell("pause"),
    canPlayType: () => "maybe",
    removeAttribute: (name) => tell(`remove ${name}`),
    hasAttribute: () => true,
    load: () => tell("load"),
  });
  const host = {
    headers: { "Lectern-Embedder": "https://s" },
    pages: ["https://s"],
    dispatch: ({ type }) => tell(type),
    skipped: () => tell("skipped"),
  };
  const position = new Position({ asked: second }, false);
  const playback = new Playback(video, link, position, host, ({ code }) => tell(`refuse ${code}`));
  const listeners = new Map();
  playback.hls = {
    config: {},
    levels: [{ details: { edge: 60, fragments: segments } }],
    loadLevel: 0,
    on: (event, listener) => listeners.set(event, listener),
    recoverMediaError: () => tell("recover"),
    stopLoad: () => tell("stop"),
    startLoad: (from) => tell(`start ${from}`),
  };
  playback.isOpened = playback.hasLoaded = true;
  const append = (type, frag) => listeners.get(Hls.Events.BUFFER_APPENDING)?.("", { type, frag });
  return { playback, told, append };
}

const appendFailed = { details: ErrorDetails.BUFFER_APPENDING_ERROR, sourceBufferName: "video" };
const decodeFailed = { details: ErrorDetails.MEDIA_SOURCE_REQUIRES_RESET };

test("a damaged segment loads again twice, and is then skipped", () => {
  const { playback, told, append } = playing(12);
  const media = new MediaRecovery(playback);
  media.attach(playback.hls);
  const fail = () => {
    append("video", segments[2]);
    media.recover(playback.hls, { ...appendFailed, fatal: false });
    // hls.js names the segment after the damaged one.
    media.recover(playback.hls, { ...decodeFailed, fatal: true, frag: segments[3] });
    return told.splice(0);
  };
  assert.deepEqual(fail(), ["recover", "stop", "start 12"]);
  assert.deepEqual(fail(), ["recover", "stop", "start 12"]);
  assert.deepEqual(fail(), ["skipped", "recover", "stop", "start 30"]);
  assert.equal(playback.position.second, 30);
  assert.equal(playback.hls.config.startPosition, 30);
});

test("damage at the end ends the lecture, but not one that is still recorded", () => {
  for (const [isLive, expected] of [
    [false, ["pause", "end", "skipped", "recover", "stop", "start 0"]],
    [true, ["skipped", "recover", "stop", "start 60"]],
  ]) {
    const { playback, told } = playing(52);
    Object.assign(playback, { isLive, isWanted: true });
    const media = new MediaRecovery(playback);
    for (let tries = 0; tries < 3; tries += 1) {
      told.length = 0;
      media.recover(playback.hls, { ...decodeFailed, fatal: true });
    }
    assert.deepEqual(told, expected, `live: ${isLive}`);
    assert.equal(playback.isWanted, isLive);
  }
});

test("a lecture that cannot be decoded stops at the second that played before", () => {
  const { playback, told } = playing(12);
  playback.hls.levels = [];
  const media = new MediaRecovery(playback);
  for (let tries = 0; tries < 3; tries += 1) {
    playback.position.second = 12 + tries;
    media.recover(playback.hls, { ...decodeFailed, fatal: true });
  }
  assert.equal(told.at(-1), "refuse unplayable");
  assert.equal(playback.position.second, 12);
});

test("errors of hls.js that it mends itself, and those of another opening, change nothing", () => {
  const { playback, told } = playing(12);
  const media = new MediaRecovery(playback);
  media.recover(playback.hls, { details: ErrorDetails.BUFFER_STALLED_ERROR, fatal: false });
  media.recover({ ...playback.hls }, { ...decodeFailed, fatal: true });
  playback.isRefused = true;
  media.recover(playback.hls, { ...decodeFailed, fatal: true });
  assert.deepEqual(told, []);
});

test("a jump of hls.js is reported, and a jump over half a lecture stops", () => {
  for (const [to, expected] of [
    [12.8, []],
    [20, ["skipped"]],
    [50, ["refuse unplayable"]],
  ]) {
    const { playback, told } = playing(12);
    playback.video.currentTime = to;
    const details = ErrorDetails.BUFFER_SEEK_OVER_HOLE;
    new MediaRecovery(playback).recover(playback.hls, { details, fatal: false });
    assert.deepEqual(told, expected, `to ${to}`);
  }
});

test("only a stall near damage is one of the decoder", () => {
  const { playback, told } = playing(12);
  const media = new MediaRecovery(playback);
  assert.equal(media.recoverStall(), false);
  media.recover(playback.hls, { ...decodeFailed, fatal: true });
  told.length = 0;
  assert.equal(media.recoverStall(), true);
  assert.deepEqual(told, ["recover", "stop", "start 12"]);
  playback.position.second = 40;
  assert.equal(media.recoverStall(), false);
});

/** A network recovery, with the edge's answer about each URL. */
function recovering(t, { second = 12, answer, ask, link = LINK } = {}) {
  const { playback, told } = playing(second, link);
  const context = { now: Date.now, pause: async () => {}, ask, fetch: async () => answer() };
  playback.passes = new Renewal(link, context, "session");
  const asked = [];
  t.mock.method(globalThis, "fetch", async (url) => {
    asked.push(String(url));
    return answer();
  });
  const network = new NetworkRecovery(playback, {
    loadSource: () => told.push("load source"),
    reopen: () => told.push("reopen"),
    dropSession: () => told.push("drop session"),
  });
  const fail = async (code, more = {}) => {
    const response = { code, url: "https://h/a/v/r/480p/seg00001.m4s?p=1" };
    const data = { type: ErrorTypes.NETWORK_ERROR, fatal: true, response, ...more };
    await network.recover(playback.hls, playback.passes, data);
    return told.splice(0);
  };
  return { playback, network, fail, asked, told };
}

/** The edge's refusal with a code. */
const refusal = (code, status = 403) => () =>
  Response.json({ code, title: code }, { status });
/** No wait between attempts: the network is back at once. */
const online = (t) => {
  const [add, remove] = [globalThis.addEventListener, globalThis.removeEventListener];
  globalThis.addEventListener = (_type, listener) => queueMicrotask(listener);
  globalThis.removeEventListener = () => {};
  t.after(() => Object.assign(globalThis, { addEventListener: add, removeEventListener: remove }));
};

test("each reason of a failed load has its step", async (t) => {
  online(t);
  const opens = () => new Response("#EXTM3U");
  for (const [code, more, answer, expected] of [
    [403, {}, refusal("revoked"), ["refuse revoked"]],
    [404, {}, refusal("not_found", 404), ["refuse not_found"]],
    [403, { fatal: false }, refusal("copy_ended"), ["reopen"]],
    [503, {}, refusal("busy", 503), ["start 12"]],
    [0, {}, refusal("busy"), ["start 12"]],
    // A login page of a network answers in the edge's place.
    [403, {}, () => new Response("<html>", { status: 403 }), ["start 12"]],
    [403, {}, opens, ["reopen"]],
    [200, {}, opens, ["refuse unplayable"]],
    [0, { type: ErrorTypes.OTHER_ERROR }, opens, ["refuse unplayable"]],
    [403, { response: { code: 403, url: "https://evil/seg" } }, opens, ["refuse other_file"]],
    // One file of many may fail.
    [404, { fatal: false }, refusal("not_found", 404), []],
    [403, { fatal: false }, refusal("forbidden"), []],
    [403, { fatal: false }, refusal("too_many_sessions"), ["refuse too_many_sessions"]],
  ]) {
    const { fail } = recovering(t, { answer });
    assert.deepEqual(await fail(code, more), expected, `${code} ${JSON.stringify(more)}`);
  }
});

test("a session that lost its place is dropped once, before the lecture plays", async (t) => {
  const { playback, fail } = recovering(t, { answer: refusal("too_many_sessions") });
  playback.isOpened = false;
  assert.deepEqual(await fail(403), ["drop session"]);
  playback.passes.forgetSession();
  assert.deepEqual(await fail(403), ["refuse too_many_sessions"]);
});

test("an ended link is opened again, replaced once at a second, then refused", async (t) => {
  const claims = Buffer.from(JSON.stringify({ exp: 1 })).toString("base64url");
  const link = new URL(`https://h/a/master.m3u8?token=e30.${claims}.x`);
  let given = 0;
  const ask = async () => {
    given += 1;
    return link;
  };
  const { playback, fail } = recovering(t, { answer: refusal("expired"), ask, link });
  assert.deepEqual(await fail(403), ["reopen"]);
  assert.deepEqual(await fail(403), ["refuse expired"]);
  assert.equal(given, 1);
  // At another second, the tries are new ones.
  playback.position.second = 40;
  assert.deepEqual(await fail(403), ["reopen"]);
  assert.equal(given, 2);
});

test("without a connection, the viewer hears of the fourth error", async (t) => {
  online(t);
  const lost = () => Promise.reject(new TypeError("no network"));
  const { playback, network, fail } = recovering(t, { answer: lost });
  for (let errors = 1; errors <= 3; errors += 1) assert.deepEqual(await fail(0), ["start 12"]);
  assert.deepEqual(await fail(0), ["lose", "start 12"]);
  assert.equal(playback.isLost, true);
  network.arrived();
  assert.equal(playback.networkErrors, 0);
  assert.deepEqual(await fail(0), ["start 12"]);
});

test("a fatal error that comes during a recovery is not lost", async (t) => {
  online(t);
  const { promise, resolve } = Promise.withResolvers();
  let answers = 0;
  const answer = async () => {
    answers += 1;
    // A file of many first, whose failure needs no step.
    if (answers === 1) await promise;
    return refusal(answers === 1 ? "not_found" : "revoked")();
  };
  const { fail, told } = recovering(t, { answer });
  const first = fail(403, { fatal: false });
  assert.deepEqual(await fail(403), [], "a second error starts no second recovery");
  resolve();
  assert.deepEqual([...(await first), ...told], ["refuse revoked"]);
});

test("the browser's own player loads again, and learns why it may not", async (t) => {
  online(t);
  globalThis.MediaError = { MEDIA_ERR_NETWORK: 2 };
  const file = new URL("https://h/a/lecture.mp4?token=e30.e30.x");
  const opens = () => new Response("x");
  for (const [code, answer, tries, expected] of [
    [3, opens, 1, "play"],
    [3, opens, 3, "refuse unplayable"],
    [2, opens, 1, "play"],
    [2, refusal("revoked"), 1, "refuse revoked"],
    [4, refusal("expired"), 1, "play"],
    [4, refusal("expired"), 2, "refuse expired"],
  ]) {
    const { playback, network, told } = recovering(t, { answer, link: file });
    const native = new NativePlayback(playback, new MediaRecovery(playback), network);
    playback.hls = undefined;
    playback.isWanted = true;
    Object.assign(playback.video, { paused: true, play: async () => told.push("play") });
    for (let at = 0; at < tries; at += 1) {
      playback.video.error = { code };
      await native.recover();
    }
    assert.equal(told.at(-1), expected, `${code} ${tries}`);
    if (expected === "play") assert.equal(playback.video.currentTime, 12);
  }
});

test("a link that counts pages reaches the browser's player as a pass", async (t) => {
  const claims = Buffer.from(JSON.stringify({ origin: ["https://s"] })).toString("base64url");
  const counted = new URL(`https://h/a/master.m3u8?token=e30.${claims}.x`);
  const pass = "https://h/~p/a/master.m3u8";
  const answer = () => Object.defineProperty(new Response("#EXTM3U"), "url", { value: pass });
  for (const [link, expected] of [
    [LINK, LINK.href],
    [counted, pass],
    [new URL("https://h/a/lecture.mp4?token=x"), "https://h/a/lecture.mp4?token=x"],
  ]) {
    const { playback, network } = recovering(t, { answer, link });
    const native = new NativePlayback(playback, new MediaRecovery(playback), network);
    assert.equal(native.plays(link), true);
    await native.play(playback.attempts.start());
    assert.equal(playback.video.src, expected);
  }
});
