// The player's decisions: states, keys, times, sentences and the files beside a lecture.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { chapterAt, parseChapters, parseStoryboard, search } from "./src/element/extras.ts";
import { actionOf, nextSpeed } from "./src/keys.ts";
import { advice, isRetryable, refusalOf, sentence } from "./src/refusals.ts";
import { next, OPENING, word } from "./src/state.ts";
import { formatTime, parseTime } from "./src/time.ts";

const en = JSON.parse(readFileSync(new URL("src/texts/en.json", import.meta.url), "utf8"));
const refuse = { type: "refuse", refusal: { code: "expired" } };

test("events lead from state to state", () => {
  for (const [events, expected] of [
    ["", "opening"],
    ["ready", "paused"],
    ["ready play", "playing"],
    ["ready play wait", "waiting"],
    ["ready play wait play", "playing"],
    ["ready play pause", "paused"],
    ["ready play pause end", "ended"],
    // The browser pauses at the end, in either order.
    ["ready play end pause", "ended"],
    ["ready play end play", "playing"],
    ["stall", "slow"],
    ["lose", "offline"],
    ["lose arrive", "opening"],
    ["ready play lose", "offline"],
    // What is loaded plays on, without a connection.
    ["ready play lose wait", "offline"],
    ["ready play lose pause play", "offline"],
    ["ready play lose arrive", "playing"],
    ["ready play refuse", "refused"],
    ["ready play refuse play", "refused"],
    ["ready play refuse arrive lose end ready", "refused"],
    ["ready play refuse open", "opening"],
    ["ready play lose open ready", "paused"],
  ]) {
    const all = events.split(" ").filter(Boolean).map((type) => (type === "refuse" ? refuse : { type }));
    assert.equal(word(all.reduce(next, OPENING)), expected, events);
  }
});

test("a wait is slow until something arrives or plays", () => {
  const after = (events) => events.split(" ").map((type) => ({ type })).reduce(next, OPENING).trouble?.kind;
  assert.equal(after("stall"), "slow");
  assert.equal(after("ready play wait stall"), "slow");
  assert.equal(after("ready stall"), "slow", "a paused viewer waits for another second");
  assert.equal(after("ready play stall"), undefined);
  assert.equal(after("ready play wait stall play"), undefined);
  assert.equal(after("ready play wait stall arrive"), undefined);
  assert.equal(after("ready play wait lose stall"), "offline");
});

test("a key has an action, unless a control or the browser needs it", () => {
  const press = (key, focus = "none", modifiers = {}) => actionOf({ key, ctrlKey: false, altKey: false, metaKey: false, ...modifiers }, focus);
  for (const [key, expected] of [
    [" ", { type: "toggle" }],
    ["k", { type: "toggle" }],
    ["K", { type: "toggle" }],
    ["j", { type: "seek_by", seconds: -10 }],
    ["l", { type: "seek_by", seconds: 10 }],
    ["ArrowLeft", { type: "seek_by", seconds: -5 }],
    ["ArrowRight", { type: "seek_by", seconds: 5 }],
    ["ArrowUp", { type: "louder", by: 0.05 }],
    ["ArrowDown", { type: "louder", by: -0.05 }],
    ["<", { type: "faster", steps: -1 }],
    [">", { type: "faster", steps: 1 }],
    ["m", { type: "mute" }],
    ["c", { type: "captions" }],
    ["f", { type: "fullscreen" }],
    ["p", { type: "picture" }],
    ["?", { type: "help" }],
    ["0", { type: "seek_to", share: 0 }],
    ["7", { type: "seek_to", share: 0.7 }],
    ["Home", { type: "seek_to", share: 0 }],
    ["End", { type: "seek_to", share: 1 }],
    ["Escape", { type: "close" }],
    ["Tab", undefined],
    ["F5", undefined],
    ["x", undefined],
  ]) {
    assert.deepEqual(press(key), expected, key);
  }
  for (const modifier of ["ctrlKey", "altKey", "metaKey"]) assert.equal(press("f", "none", { [modifier]: true }), undefined, modifier);
  for (const [key, focus] of [[" ", "button"], ["Enter", "button"], ["ArrowUp", "slider"], ["Home", "slider"], [" ", "choice"], ["ArrowDown", "choice"], ["k", "form"], ["5", "form"]]) {
    assert.equal(press(key, focus), undefined, `${key} in a ${focus}`);
  }
  assert.deepEqual(press("k", "button"), { type: "toggle" });
  assert.deepEqual(press("k", "choice"), { type: "toggle" });
  assert.deepEqual(press("f", "slider"), { type: "fullscreen" });
  assert.deepEqual(press("Escape", "form"), { type: "close" });
});

test("speeds are those of the list", () => {
  for (const [speed, steps, expected] of [[1, 1, 1.25], [1, -1, 0.75], [2, 1, 2.5], [3, 1, 3], [0.5, -1, 0.5], [1.1, 1, 1.25]]) {
    assert.equal(nextSpeed(speed, steps), expected, `${speed} ${steps}`);
  }
});

test("times are read as people write them, and nothing else is", () => {
  for (const [text, expected] of [["754", 754], ["12:34", 754], ["1:02:03", 3723], ["90:00", 5400], ["0", 0], ["1.5", 1.5]]) {
    assert.equal(parseTime(text), expected, text);
  }
  for (const text of ["", null, undefined, "-1", "1:60", "1e9", "12:34:56:78", "abc", "99999999", " 1"]) assert.equal(parseTime(text), undefined, String(text));
  for (const [seconds, expected] of [[0, "0:00"], [754.9, "12:34"], [3723, "1:02:03"], [NaN, "0:00"], [-3, "0:00"]]) {
    assert.equal(formatTime(seconds), expected);
  }
});

const linkOf = (claims) => new URL(`https://h/a/master.m3u8?token=e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`);

test("every refusal of a view has a sentence and advice", () => {
  const codes = ["expired", "too_many_sessions", "revoked", "forbidden", "not_found", "no_preview", "no_variant", "unsafe_playlist", "rate_limited"];
  for (const code of codes) {
    assert.equal(sentence({ code, title: "x" }, en), en[code], code);
    assert.ok(advice({ code }, en).length > 0, code);
    assert.ok(isRetryable({ code }), code);
  }
  assert.equal(sentence({ code: "constructor", title: "A title." }, en), "A title.");
  assert.equal(sentence({}, en), en.cannot_open);
  assert.equal(refusalOf({ code: "forbidden" }, linkOf({ origin: ["https://s.example"] }), ["https://t.example"]).code, "other_page");
  assert.equal(refusalOf({ code: "forbidden" }, linkOf({}), []).code, "forbidden");
  assert.equal(refusalOf({}, linkOf({}), []).code, "cannot_open");
  assert.equal(isRetryable({ code: "other_site" }), false);
});

test("English sentences are the edge's", () => {
  const source = readFileSync(new URL("../src/http/problem.rs", import.meta.url), "utf8");
  for (const code of ["missing_token", "forbidden", "expired", "revoked", "too_many_sessions", "no_variant", "no_preview", "unsafe_playlist", "not_found", "rate_limited", "storage_unavailable", "busy", "misconfigured"]) {
    assert.ok(source.includes(`"${en[code]}"`), code);
  }
});

test("chapters are read, and what is none is left out", () => {
  const listed = [
    { "start-time": 60, titles: [{ language: "en", title: "Questions" }, { language: "de", title: "Fragen" }] },
    { "start-time": 0, titles: [{ language: "und", title: "<b>Start</b>" }] },
    { "start-time": -1, titles: [{ title: "x" }] },
    { "start-time": "5", titles: [{ title: "x" }] },
    { "start-time": 5 },
    null,
  ];
  const chapters = parseChapters(JSON.stringify(listed), "de-CH");
  assert.deepEqual(chapters, [{ start: 0, title: "<b>Start</b>" }, { start: 60, title: "Fragen" }]);
  assert.deepEqual(parseChapters("{}", "en"), []);
  assert.equal(chapterAt(chapters, 59)?.start, 0);
  assert.equal(chapterAt(chapters, 60)?.start, 60);
  assert.equal(chapterAt([], 1), undefined);
});

test("a storyboard's images are absolute, with their passes", () => {
  const vtt = "WEBVTT\r\n\r\n00:00:00.000 --> 00:00:02.000\r\nstoryboard/0.jpg?p=x#xywh=0,0,160,90\r\n\r\n01:00:02.500 --> 01:00:04.000\nb.jpg#xywh=1,2,3,4\n\n00:00:01.000 --> 00:00:02.000\nno rectangle\n";
  assert.deepEqual(parseStoryboard(vtt, "https://h/a/v/1/storyboard.vtt?p=y"), [
    { start: 0, end: 2, url: "https://h/a/v/1/storyboard/0.jpg?p=x#xywh=0,0,160,90" },
    { start: 3602.5, end: 3604, url: "https://h/a/v/1/b.jpg#xywh=1,2,3,4" },
  ]);
  assert.deepEqual(parseStoryboard("WEBVTT\n".repeat(10), "https://h/"), []);
});

test("a transcript is searched in any case", () => {
  const lines = [{ start: 0, text: "A Request" }, { start: 1, text: "the edge" }];
  assert.deepEqual(search(lines, " request "), [lines[0]]);
  assert.deepEqual(search(lines, ""), lines);
});
