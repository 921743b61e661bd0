// The engine's decisions: where to start, what to load, and what follows an error.
import assert from "node:assert/strict";
import { test } from "node:test";
import { abrSettings, aheadSettings, linesOf, lowDataLevel } from "./src/abr.ts";
import { reasonOf } from "./src/answer.ts";
import { Attempts } from "./src/attempts.ts";
import { Damage } from "./src/damage.ts";
import { bandwidth, keepBandwidth, keepSettings, settings } from "./src/memory.ts";
import { extrasIn } from "./src/session-data.ts";
import { isNearEnd, parsePosition, Position, positionToKeep, startOf } from "./src/start.ts";
import { SessionLock } from "./src/tab-session.ts";

test("a lecture starts where the page asks, else where the viewer stopped", () => {
  for (const [facts, second, isResumed] of [
    [{}, 0, false],
    [{ asked: 754, watched: 60, kept: 30 }, 754, false],
    [{ asked: 0, watched: 60 }, 0, false],
    [{ watched: 60, kept: 30 }, 60, true],
    // The edge knows that the viewer began anew on another device.
    [{ watched: 0, kept: 30 }, 0, false],
    [{ kept: 30 }, 30, true],
    [{ watched: 9 }, 0, false],
    [{ watched: 10 }, 10, true],
  ]) {
    assert.deepEqual(startOf(facts), { second, isResumed }, JSON.stringify(facts));
  }
});

test("nothing starts near the end, or behind it", () => {
  for (const [second, duration, expected] of [[95, 100, false], [96, 100, true], [61, 50, true], [20, NaN, false], [20, 0, false], [20, Infinity, false]]) {
    assert.equal(isNearEnd(second, { duration, isLive: false }), expected, `${second} of ${duration}`);
    assert.equal(isNearEnd(second, { duration, isLive: true }), false, "a lecture that still grows");
  }
});

test("the start moves once, and what the viewer chose stays", () => {
  const watched = new Position({ kept: 30 }, true);
  assert.deepEqual([watched.second, watched.isResumed, watched.asksEdge], [30, true, true]);
  watched.setWatched(60);
  watched.setWatched(90);
  assert.deepEqual([watched.second, watched.isResumed, watched.asksEdge], [60, true, false]);
  const whole = { duration: 61, isLive: false };
  assert.equal(watched.beginAnewNearEnd({ ...whole, isLive: true }), false);
  assert.equal(watched.beginAnewNearEnd(whole), true);
  assert.deepEqual([watched.second, watched.loaded()], [0, false]);

  const chosen = new Position({ kept: 30 }, true);
  chosen.choose(5);
  chosen.setWatched(60);
  assert.deepEqual([chosen.second, chosen.loaded()], [5, false]);
  const resumed = new Position({ kept: 30 }, false);
  assert.deepEqual([resumed.loaded(), resumed.loaded()], [true, false], "it is said once");

  // hls.js joins a live lecture at its end, unless the page asks for its beginning.
  assert.equal(new Position({}, false).loadsFrom(false), -1);
  assert.equal(new Position({}, false).loadsFrom(true), 0);
  assert.equal(new Position({ asked: 0 }, false).loadsFrom(false), 0);
  assert.equal(resumed.loadsFrom(false), 30);
});

test("a position is kept, except near the beginning and near a known end", () => {
  for (const [second, duration, isLive, expected] of [
    [15, 3100, false, undefined],
    [16, 3100, false, 16],
    [3000, 3100, false, 3000],
    [3090, 3100, false, undefined],
    [3090, 3100, true, 3090],
    [10, 3100, true, undefined],
  ]) {
    assert.equal(positionToKeep(second, { duration, isLive }), expected, `${second} of ${duration}`);
  }
});

test("a position is whole seconds, and nothing else is one", () => {
  for (const [header, expected] of [["312", 312], ["0", 0], ["312.4", 312.4], [null, undefined], ["", undefined], ["-1", undefined], ["1e3", undefined], ["9999999", undefined], ["1, 2", undefined]]) {
    assert.equal(parsePosition(header), expected, String(header));
  }
});

test("a damaged segment is tried again, then skipped, and not for ever", () => {
  const damage = new Damage();
  const steps = (...places) => places.map((at) => damage.next(at, 7, true));
  const play = (from, to) => {
    for (let second = from; second <= to; second += 0.25) damage.plays(second);
  };
  assert.deepEqual(steps(60, 60, 60), ["recover", "recover", "skip"]);
  assert.deepEqual(steps(66, 66, 66), ["recover", "recover", "skip"], "the next segment, too");
  assert.deepEqual(steps(300, 301, 302), ["recover", "recover", "skip"], "at another place");
  play(400, 405);
  play(600, 604);
  assert.deepEqual(steps(700, 700), ["recover", "stop"], "too little played for a new beginning");
  assert.equal(damage.began, 7);
  play(700, 711);
  assert.deepEqual(steps(800), ["recover"]);
  const near = new Damage();
  assert.equal(near.isNear(0), false);
  near.next(36, 34, true);
  assert.deepEqual([34, 38, 60].map((at) => near.isNear(at)), [true, true, false]);
  for (let second = 40; second < 52; second += 0.5) near.plays(second);
  assert.equal(near.isNear(38), false, "the place was played over");
  const last = new Damage();
  const ending = [1, 2, 3].map(() => last.next(98, 98, true, true));
  assert.deepEqual(ending, ["recover", "recover", "end"], "nothing follows the last segment");
  const unknown = new Damage();
  assert.deepEqual([1, 2, 3].map(() => unknown.next(5, 5, false)), ["recover", "recover", "stop"]);
});

test("one recovery runs at a time, and an opening ends it", () => {
  const attempts = new Attempts();
  const opening = attempts.start();
  assert.equal(attempts.startIfIdle(), undefined);
  opening.finish();
  const recovery = attempts.startIfIdle();
  assert.ok(recovery?.isCurrent);
  assert.equal(attempts.startIfIdle(), undefined, "a second error asks nothing");
  const retry = attempts.start();
  assert.equal(recovery.isCurrent, false);
  recovery.finish();
  assert.equal(attempts.startIfIdle(), undefined, "an attempt that is over ends no other");
  retry.finish();
  const last = attempts.startIfIdle();
  attempts.stop();
  assert.equal(last?.isCurrent, false);
});

const PLAYLIST = `#EXTM3U
#EXT-X-SESSION-DATA:DATA-ID="com.apple.hls.chapters",URI="chapters.json?p=1"
#EXT-X-SESSION-DATA:DATA-ID="lectern.storyboard",URI="https://evil.example/storyboard.vtt"
#EXT-X-SESSION-DATA:DATA-ID="lectern.poster",VALUE="poster.jpg"
#EXT-X-SESSION-DATA:DATA-ID="lectern.captions",URI="s/en.vtt?p=2",LANGUAGE="en"
#EXT-X-SESSION-DATA:LANGUAGE="de",DATA-ID="lectern.captions",URI="s/de, neu.vtt"
#EXT-X-SESSION-DATA:DATA-ID="lectern.captions",URI="s/no-language.vtt"
#EXT-X-SESSION-DATA:DATA-ID="constructor",URI="x.json"
#EXT-X-SESSION-DATA:DATA-ID="__proto__",URI="x.json",__proto__="a"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",URI="s/en.m3u8"\r
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch, Ton",LANGUAGE="de",URI="a.m3u8"
`;

test("a playlist names files beside the lecture, on allowed sites only", () => {
  const isAllowed = ({ origin }) => origin === "https://h";
  assert.deepEqual(extrasIn(PLAYLIST, "https://h/a/master.m3u8?token=t", isAllowed), {
    chapters: "https://h/a/chapters.json?p=1",
    captions: [
      { language: "en", name: "English", url: "https://h/a/s/en.vtt?p=2" },
      { language: "de", name: "de", url: "https://h/a/s/de,%20neu.vtt" },
    ],
  });
  assert.deepEqual(extrasIn("#EXTM3U\n", "https://h/", isAllowed), {});
  const line = (language) => `#EXT-X-SESSION-DATA:DATA-ID="lectern.captions",URI="a",LANGUAGE="${language}"\n`;
  const many = Array.from({ length: 1000 }, (_, number) => line(`x-${number}`)).join("");
  assert.equal(extrasIn(many, "https://h/", isAllowed).captions.length, 50);
  const hostile = `#EXTM3U\n#EXT-X-SESSION-DATA:${"A".repeat(1 << 20)}\n`;
  assert.deepEqual(extrasIn(hostile, "https://h/", isAllowed), {});
});

test("a known line starts with a fitting rung, and a new one with the lowest", () => {
  const { startLevel, abrEwmaDefaultEstimate } = abrSettings({ isLowData: false });
  assert.deepEqual([startLevel, abrEwmaDefaultEstimate], [0, undefined]);
  const warm = abrSettings({ bandwidth: 3e6, isLowData: false });
  assert.deepEqual([warm.startLevel, warm.testBandwidth, warm.abrEwmaDefaultEstimate], [-1, false, 3e6]);
  const low = abrSettings({ bandwidth: 3e6, isLowData: true });
  assert.deepEqual([low.startLevel, low.maxBufferLength, low.maxMaxBufferLength], [0, 15, 15]);
  assert.equal(aheadSettings(false).maxBufferLength, 60);
});

test("low-data playback ends at 480 lines, or plays the smallest rung", () => {
  const rungs = (...sizes) => sizes.map(([width, height]) => ({ width, height }));
  for (const [list, expected] of [
    [rungs([426, 240], [640, 360], [854, 480], [1280, 720]), 2],
    [rungs([426, 240], [1280, 720]), 0],
    [rungs([1280, 720], [1920, 1080]), 0],
    // A phone's recording stands upright.
    [rungs([270, 480], [480, 854], [720, 1280]), 1],
    [rungs([0, 0]), 0],
    [[], 0],
  ]) {
    assert.equal(lowDataLevel(list), expected, JSON.stringify(list));
  }
});

/** A browser's storage. */
function storage() {
  const kept = new Map();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => void kept.set(name, text), removeItem: (name) => void kept.delete(name) };
}

test("a rung has the name of its shorter side", () => {
  for (const [width, height, expected] of [[854, 480, 480], [480, 854, 480], [0, 360, 360]])
    assert.equal(linesOf({ width, height }), expected);
});

test("an estimate of the line is kept for an hour", () => {
  Object.defineProperty(globalThis, "localStorage", { value: storage(), configurable: true });
  const now = 1_800_000_000_000;
  assert.equal(bandwidth(now), undefined);
  keepBandwidth(2_500_000.4, now);
  assert.equal(bandwidth(now + 3_600_000), 2_500_000);
  assert.equal(bandwidth(now + 3_600_001), undefined);
  assert.equal(bandwidth(now - 1), undefined, "the clock was put back");
  keepBandwidth(NaN, now);
  assert.equal(bandwidth(now), 2_500_000);
  keepBandwidth(9e9, now);
  assert.equal(bandwidth(now), 8_000_000, "segments of the cache");
  for (const text of ["", "1", "null", "{}", '{"bits":"1","at":2}', "{"]) {
    localStorage.setItem("lectern bandwidth", text);
    assert.equal(bandwidth(now), undefined, text);
  }
  keepSettings({ lowData: true });
  assert.equal(settings().lowData, true);
});

test("settings that no player has written are left out", () => {
  Object.defineProperty(globalThis, "localStorage", { value: storage(), configurable: true });
  for (const [kept, expected] of [
    [{ speed: 2.5, volume: 0, captions: null }, { speed: 2.5, volume: 0, captions: null }],
    [{ speed: 3, volume: 1 }, { speed: 3, volume: 1 }],
    [{ speed: 100, volume: "x", lowData: true }, { lowData: true }],
    [{ speed: "2", volume: 1.01 }, {}],
    [{ speed: 0, volume: -1 }, {}],
    [{ speed: null, volume: [] }, {}],
    ["a", {}],
    [null, {}],
  ]) {
    localStorage.setItem("lectern settings", JSON.stringify(kept));
    assert.deepEqual(settings(), expected, JSON.stringify(kept));
  }
});

/** Web Locks of a browser with several tabs. */
function locks() {
  const held = new Map();
  const request = async (name, { signal }, callback) => {
    while (held.has(name)) {
      await Promise.race([
        held.get(name),
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ]);
    }
    const holding = callback({ name });
    held.set(name, holding);
    await holding;
    held.delete(name);
  };
  return { request };
}

test("a duplicated tab does not play with the session of the first", async (t) => {
  // A timeout's signal alone keeps no test alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(alive));
  const browser = locks();
  const [first, second] = [new SessionLock(browser), new SessionLock(browser)];
  assert.equal(await first.hold("s"), true);
  assert.equal(await first.hold("s"), true, "it plays with it already");
  assert.equal(await second.hold("s"), false);
  assert.equal(await second.hold("t"), true);
  // A reload opens the page while the one before still closes.
  const reloaded = new SessionLock(browser).hold("s");
  first.release();
  assert.equal(await reloaded, true);
  assert.equal(await new SessionLock(undefined).hold("s"), true, "a page without HTTPS");
});

test("the reason of a file that opens costs one byte", async (t) => {
  const asked = [];
  let isCancelled = false;
  const body = new ReadableStream({ pull: (stream) => stream.enqueue(new Uint8Array(1)), cancel: () => void (isCancelled = true) });
  t.mock.method(globalThis, "fetch", async (_url, { headers, signal }) => {
    asked.push([headers.Range, headers["Lectern-Embedder"], signal instanceof AbortSignal]);
    return new Response(body, { status: 206, headers: { "content-type": "video/mp4" } });
  });
  const reason = await reasonOf(new URL("https://h/a/lecture.mp4"), { "Lectern-Embedder": "https://s" });
  assert.equal(reason, undefined);
  assert.deepEqual(asked, [["bytes=0-0", "https://s", true]]);
  assert.ok(isCancelled);
});
