// The player's decisions: states, keys, times, texts and the files beside a lecture.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readText } from "./src/bounded.ts";
import { captionStyle } from "./src/caption-style.ts";
import { chapterAt, parseChapters, parseStoryboard } from "./src/element/extras.ts";
import { actionOf, isRepeated, nextSpeed } from "./src/keys.ts";
import { downloadName, downloadOf, lectureName, watermarkOf } from "./src/names.ts";
import {
  addNote,
  editNote,
  MAX_NOTE_LENGTH,
  MAX_NOTES,
  mergeNotes,
  notesAsMarkdown,
  parseNotes,
  removeNote,
  storedNotes,
} from "./src/notes.ts";
import { overflowing } from "./src/overflow.ts";
import { cardOf } from "./src/card.ts";
import { adviceText, isRetryable, reasonText, refusalOf } from "./src/refusals.ts";
import { parseSilences, skipTo } from "./src/silences.ts";
import { next, OPENING, stateName } from "./src/state.ts";
import { fill, formatNumber, languageOf } from "./src/texts/index.ts";
import { matchParts, parseTranscript, search } from "./src/transcript.ts";
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
    // The viewer chose another second of a lecture that has ended.
    ["ready play end seek", "paused"],
    ["ready play end seek ready play", "playing"],
    ["ready play seek", "playing"],
    ["ready seek", "paused"],
    ["ready play refuse seek", "refused"],
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
    assert.equal(stateName(all.reduce(next, OPENING)), expected, events);
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
  assert.equal(after("ready stall seek ready"), undefined, "the frame of a loaded second shows");
  assert.equal(after("stall ready"), undefined);
  assert.equal(after("ready play wait lose stall"), "offline");
  assert.equal(after("ready lose seek ready"), "offline", "a loaded second says nothing about it");
});

test("a key has an action, unless a control or the browser needs it", () => {
  const press = (key, focus = "none", modifiers = {}) => actionOf({ key, code: "", shiftKey: false, ctrlKey: false, altKey: false, metaKey: false, ...modifiers }, focus);
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
    ["p", { type: "pip" }],
    ["n", { type: "notes" }],
    ["t", { type: "transcript" }],
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

test("without shortcuts, characters have no action", () => {
  const modifiers = { code: "", shiftKey: false, ctrlKey: false, altKey: false, metaKey: false };
  const press = (key) => actionOf({ key, ...modifiers }, "none", false)?.type;
  for (const key of ["m", "K", "5", "?", "<", "л"]) assert.equal(press(key), undefined, key);
  for (const [key, expected] of [
    [" ", "toggle"],
    ["ArrowLeft", "seek_by"],
    ["End", "seek_to"],
    ["Escape", "close"],
  ]) {
    assert.equal(press(key), expected, key);
  }
});

test("on the timeline, arrows move by seconds", () => {
  const press = (key, shiftKey = false, focus = "timeline") => actionOf({ key, code: key, shiftKey, ctrlKey: false, altKey: false, metaKey: false }, focus)?.seconds;
  for (const [key, seconds] of [["ArrowLeft", -5], ["ArrowRight", 5], ["ArrowUp", 5], ["ArrowDown", -5]]) {
    assert.equal(press(key), seconds, key);
    assert.equal(press(key, true), 2 * seconds, key);
  }
  assert.equal(press("ArrowRight", true, "none"), 10);
  assert.equal(press("ArrowRight", true, "slider"), undefined);
});

test("a key of another script has the action of its place", () => {
  const press = (key, code, shiftKey = false) => actionOf({ key, code, shiftKey, ctrlKey: false, altKey: false, metaKey: false }, "none")?.type;
  for (const [key, code, shift, expected] of [
    ["л", "KeyK", false, "toggle"],
    ["Л", "KeyK", true, "toggle"],
    ["क", "KeyK", false, "toggle"],
    ["ا", "KeyH", false, undefined],
    ["৫", "Digit5", false, "seek_to"],
    ["Б", "Comma", true, "faster"],
    ["б", "Comma", false, undefined],
    // Latin layouts have their own places: Dvorak's "t" is where an American keyboard has "k".
    ["t", "KeyK", false, "transcript"],
    ["k", "KeyV", false, "toggle"],
    ["é", "Digit2", false, undefined],
    ["Dead", "KeyK", false, undefined],
  ]) {
    assert.equal(press(key, code, shift), expected, key);
  }
});

test("a held key repeats what is worth it", () => {
  for (const type of ["seek_by", "louder", "faster"]) assert.ok(isRepeated({ type }), type);
  for (const type of ["toggle", "mute", "captions", "fullscreen", "pip", "help", "notes", "transcript"]) assert.ok(!isRepeated({ type }), type);
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

test("every refusal of a view has a text and advice", () => {
  const codes = ["expired", "too_many_sessions", "revoked", "forbidden", "not_found", "no_preview", "no_variant", "unsafe_playlist", "rate_limited", "copy_ended"];
  for (const code of codes) {
    assert.equal(reasonText({ code, title: "x" }, en), en[code], code);
    assert.ok(adviceText({ code }, en, 12).length > 0, code);
    assert.ok(isRetryable({ code }), code);
  }
  assert.equal(adviceText({ code: "expired" }, en, 12), en.advice_expired);
  assert.equal(adviceText({ code: "expired" }, en, 0), en.advice);
  assert.equal(reasonText({ code: "constructor", title: "A title." }, en), "A title.");
  assert.equal(reasonText({}, en), en.cannot_open);
  assert.equal(refusalOf({ code: "forbidden" }, linkOf({ origin: ["https://s.example"] }), ["https://t.example"]).code, "other_page");
  assert.equal(refusalOf({ code: "forbidden" }, linkOf({}), []).code, "forbidden");
  assert.equal(refusalOf({}, linkOf({}), []).code, "cannot_open");
  assert.equal(isRetryable({ code: "other_site" }), false);
});

test("a card says what happened, what to do, and how to try again", () => {
  const facts = { second: 754, isPreview: false, hasPanel: false };
  const { retry, replay, offline_advice, slow, no_connection, preview_over, preview_advice } = en;
  const refused = (code) => ({ kind: "refused", refusal: { code } });
  const resume = "Your place is kept. If you have a new link, the lecture goes on at 12:34.";
  const offline = { kind: "offline" };
  const busy = { kind: "offline", problem: { code: "busy" } };
  for (const [playback, trouble, more, expected] of [
    ["playing", undefined, {}, undefined],
    ["ended", undefined, {}, undefined],
    ["playing", undefined, { isPreview: true }, undefined],
    ["paused", refused("expired"), {}, [en.expired, "", resume, retry, false, false]],
    ["ended", refused("other_site"), { isPreview: true }, [en.other_site, "", en.advice, "", false, false]],
    ["paused", { kind: "slow" }, {}, [slow, "", offline_advice, retry, true, false]],
    // What still plays stays visible, and so does what the viewer writes.
    ["playing", offline, {}, [no_connection, "", offline_advice, retry, true, false]],
    ["waiting", offline, {}, [no_connection, "", offline_advice, retry, false, false]],
    ["opening", offline, {}, [no_connection, "", offline_advice, retry, false, false]],
    ["waiting", offline, { hasPanel: true }, [no_connection, "", offline_advice, retry, true, false]],
    ["waiting", busy, {}, [en.busy, "", en.advice_wait, retry, false, false]],
    ["ended", undefined, { isPreview: true }, ["", preview_over, preview_advice, replay, false, true]],
  ]) {
    const card = cardOf({ playback, trouble }, en, { ...facts, ...more });
    const { alert, title, advice, button, isSmall, hasCourse } = card;
    const shown = card.isShown ? [alert, title, advice, button, isSmall, hasCourse] : undefined;
    assert.deepEqual(shown, expected, `${playback} ${JSON.stringify(trouble)}`);
  }
});

test("English texts are the edge's", () => {
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

test("a storyboard's images are absolute, with their passes, and of allowed origins", () => {
  const vtt = "WEBVTT\r\n\r\n00:00:00.000 --> 00:00:02.000\r\nstoryboard/0.jpg?p=x#xywh=0,0,160,90\r\n\r\n01:00:02.500 --> 01:00:04.000\nb.jpg#xywh=1,2,3,4\n\n00:00:01.000 --> 00:00:02.000\nno rectangle\n";
  const isAllowed = (url) => url.origin === "https://h";
  assert.deepEqual(parseStoryboard(vtt, "https://h/a/v/1/storyboard.vtt?p=y", isAllowed), [
    { start: 0, end: 2, url: "https://h/a/v/1/storyboard/0.jpg?p=x#xywh=0,0,160,90" },
    { start: 3602.5, end: 3604, url: "https://h/a/v/1/b.jpg#xywh=1,2,3,4" },
  ]);
  assert.deepEqual(parseStoryboard("WEBVTT\n".repeat(10), "https://h/", isAllowed), []);
  const foreign = "WEBVTT\n\n00:00.000 --> 00:02.000\nhttps://tracker.example/0.jpg#xywh=0,0,160,90\n";
  assert.deepEqual(parseStoryboard(foreign, "https://h/", isAllowed), []);
});

test("a hostile storyboard costs no more than its size", () => {
  const isAllowed = () => true;
  const half = 2 << 20;
  for (const text of [
    `0 --> ${"b".repeat(half)}\n${"c".repeat(half)}`,
    `${"a".repeat(half)} --> ${" ".repeat(half)}`,
    `0 -->${" ".repeat(half)}\n${"#xywh=".repeat(half / 6)}`,
    `00:00.000 --> 00:01.000\n${"c".repeat(half)}#xywh=0,0,1,1`,
  ]) {
    assert.deepEqual(parseStoryboard(text, "https://h/", isAllowed), [], text.slice(0, 20));
  }
  const many = "00:00.000 --> 00:01.000\na#xywh=0,0,1,1\n".repeat(20_000);
  assert.equal(parseStoryboard(many, "https://h/", isAllowed).length, 10_000);
});

test("a transcript has the words of a captions file, without markup", async () => {
  const vtt = "\ufeffWEBVTT\r\n\r\nNOTE a note\r\n\r\n1\r\n00:05.000 --> 00:06.000 align:start\r\n<v Ada>The <b>edge</b> &amp; its\r\nkeys</v>\r\n\r\n00:01.500 --> 00:02.000\r\nFirst\r\n\r\nbroken --> 00:09.000\r\nlost\r\n";
  assert.deepEqual(await parseTranscript(vtt), [
    { start: 1.5, text: "First" },
    { start: 5, text: "The edge & its keys" },
  ]);
  for (const text of ["", "<html>", "WEBVTT", "{}"]) assert.deepEqual(await parseTranscript(text), [], text);
  const [long] = await parseTranscript(`WEBVTT\n\n00:00.000 --> 00:01.000\n${"word ".repeat(1_000)}\n`);
  assert.equal(long.text.length, 1_000);
});

test("a hostile captions file costs no more than its size", async () => {
  const head = "WEBVTT\n\n00:00.000 --> 00:01.000\n";
  assert.deepEqual(await parseTranscript(`${head}${"<b>".repeat(1 << 20)}deep\n`), []);
  const many = await parseTranscript(`WEBVTT\n\n${"00:00.000 --> 00:01.000\nx\n\n".repeat(100_000)}`);
  assert.equal(many.length, 20_000);
});

test("a transcript is searched in any case, and matches stand out", () => {
  const lines = [{ start: 0, text: "A Request (HTTP)" }, { start: 1, text: "the edge" }];
  assert.deepEqual(search(lines, " request "), [lines[0]]);
  assert.deepEqual(search(lines, "a  request"), [lines[0]]);
  assert.deepEqual(search(lines, "(http"), [lines[0]]);
  assert.deepEqual(search(lines, ".*"), []);
  assert.deepEqual(search(lines, ""), lines);
  const parts = (text, wanted) => matchParts(text, wanted).map(({ text, isMatch }) => (isMatch ? `[${text}]` : text)).join("|");
  assert.equal(parts("Edge, edge and hedge", "edge"), "[Edge]|, |[edge]| and h|[edge]");
  assert.equal(parts("STRAẞE İstanbul", "i"), "STRAẞE İstanbul");
  assert.equal(parts("plain", ""), "plain");
  assert.equal(parts("गणित और गणित", "गणित"), "[गणित]| और |[गणित]");
});

test("notes are kept in order, and bounded", () => {
  let notes = addNote([], 65.7, "  second ");
  notes = addNote(notes, 5, "first\nline");
  assert.deepEqual(notes.map(({ at, text }) => [at, text]), [[5, "first\nline"], [65, "second"]]);
  assert.equal(addNote(notes, 1, "  "), notes);
  assert.equal(addNote(notes, NaN, "x"), notes);
  assert.deepEqual(parseNotes(storedNotes(notes)).map(({ at, text }) => [at, text]), [[5, "first\nline"], [65, "second"]]);
  assert.equal(editNote(notes, notes[0], " changed ")[0].text, "changed");
  assert.equal(editNote(notes, notes[0], " ").length, 1);
  assert.equal(notesAsMarkdown("Intro", notes), "# Intro\n\n- **0:05** first\n  line\n- **1:05** second\n");
  assert.equal(addNote([], 0, "x".repeat(MAX_NOTE_LENGTH + 1))[0].text.length, MAX_NOTE_LENGTH);
  const full = Array.from({ length: MAX_NOTES }, (_, at) => ({ at, text: "x" }));
  assert.equal(addNote(full, 1, "one more"), full);
  assert.equal(parseNotes(JSON.stringify([...full, ...full].map(({ at, text }) => [at, text]))).length, MAX_NOTES);
  for (const text of [undefined, "", "{", "{}", "[1,null,[1],[-1,\"x\"],[1,\" \"],[\"1\",\"x\"],[null,\"x\"]]"]) assert.deepEqual(parseNotes(text), [], text);
  assert.equal(storedNotes([]), undefined);
});

test("a note is changed among those that another tab wrote", () => {
  const [first, second, third] = [5, 65, 70].map((at) => ({ at, text: `at ${at}` }));
  const kept = parseNotes(storedNotes([first, second, third]));
  assert.deepEqual(removeNote(kept, second), [first, third]);
  assert.deepEqual(removeNote([first], second), [first], "removed by another tab");
  assert.deepEqual(removeNote([first, { ...first }], first), [first], "one of two");
  assert.deepEqual(editNote([second], first, "again"), [{ at: 5, text: "again" }, second]);
  assert.deepEqual(editNote([first, { at: 5, text: "b" }], first, "a"), [
    { at: 5, text: "a" },
    { at: 5, text: "b" },
  ]);
  assert.deepEqual(mergeNotes([first, third], [first, second]), [first, second, third]);
  assert.equal(mergeNotes(Array(MAX_NOTES).fill(first), [second]).length, MAX_NOTES);
});

test("silences are skipped if the rest is worth it", () => {
  const silences = parseSilences('[[10,20],[2,4],["1",2],[5,5],[9,3],null,[1e999,3]]');
  assert.deepEqual(silences, [[2, 4], [10, 20]]);
  assert.deepEqual(parseSilences("{}"), []);
  for (const [seconds, end] of [[0, undefined], [2.1, undefined], [2.3, 3.75], [3.5, undefined], [11, 19.75], [18.9, undefined], [30, undefined]])
    assert.equal(skipTo(silences, seconds), end, String(seconds));
});

test("a lecture has the name of its folder, unless that is an id", () => {
  for (const [path, name] of [
    ["/courses/linear-algebra/master.m3u8", "Linear algebra"],
    ["/courses/rails/intro/v/0f3a/lecture.mp4", "Intro"],
    ["/courses/%C3%BCbung_1/master.m3u8", "Übung 1"],
    ["/courses/1234/master.m3u8", undefined],
    ["/courses/0f3a9c1e-77aa/master.m3u8", undefined],
    ["/master.m3u8", undefined],
    ["/courses/%E0%A4%A/master.m3u8", "%E0%A4%A"],
  ]) {
    assert.equal(lectureName(new URL(path, "https://h")), name, path);
  }
});

test("a watermark has the element's name, else the link's, without tricks", () => {
  assert.equal(watermarkOf("Ada", linkOf({ watermark: "Bob" })), "Ada");
  assert.equal(watermarkOf(null, linkOf({ watermark: "Bob" })), "Bob");
  assert.equal(watermarkOf("", linkOf({ watermark: "Bob" })), "");
  assert.equal(watermarkOf(null, linkOf({ watermark: 5 })), "");
  assert.equal(watermarkOf(null, undefined), "");
  assert.equal(watermarkOf("\u202eada\n", undefined), "ada");
  assert.equal(watermarkOf("😀".repeat(101), undefined), "😀".repeat(100));
});

test("a download is offered if the link opens it by itself", () => {
  const of = (claims) => downloadOf(linkOf(claims))?.pathname;
  assert.equal(of({ use: "download", path: "/a/" }), "/a/lecture.mp4");
  for (const claims of [{ path: "/a/" }, { use: "download", path: "/a/master.m3u8" }, { use: "download", path: "/b/" }, { use: "download" }, { use: "download", path: "/a/", preview: [0, 4] }, { use: "download", path: "/a/", max_height: 480 }, { use: "download", path: "/a/", langs: ["en"] }, { use: "download", path: "/a/", sessions: 1 }, { use: "download", path: "/a/", origin: ["https://s.example"] }])
    assert.equal(of(claims), undefined, JSON.stringify(claims));
  for (const [path, name] of [["/c/linear-algebra/lecture.mp4", "linear-algebra.mp4"], ["/c/%C3%BC/v/1/lecture.mp4", "ü.mp4"], ["/lecture.mp4", "lecture.mp4"]])
    assert.equal(downloadName(new URL(path, "https://h")), name);
  const file = linkOf({ use: "download", path: "/a/v/1/lecture.mp4" });
  file.pathname = "/a/v/1/lecture.mp4";
  assert.equal(downloadOf(file)?.pathname, "/a/v/1/lecture.mp4");
});

test("what does not fit leaves the bar in its order", () => {
  const items = [{ name: "keyboard", width: 44 }, { name: "notes", width: 44 }, { name: "captions", width: 44 }];
  for (const [room, expected] of [[132, []], [131, ["keyboard", "notes"]], [176, []], [88, ["keyboard", "notes"]], [87, ["keyboard", "notes", "captions"]], [0, ["keyboard", "notes", "captions"]]])
    assert.deepEqual([...overflowing(items, room, 44)], expected, String(room));
});

test("an unknown style of captions is the player's own", () => {
  const own = { size: "medium", colours: "light", position: "bottom" };
  for (const kept of [undefined, null, "large", [], { size: "enormous", colours: {} }]) assert.deepEqual(captionStyle(kept), own);
  assert.deepEqual(captionStyle({ size: "huge", position: "top" }), { ...own, size: "huge", position: "top" });
});

test("a file beside the lecture is read up to its limit", async () => {
  assert.equal(await readText(new Response("grüße"), 7), "grüße");
  await assert.rejects(readText(new Response("grüße"), 6));
  assert.equal(await readText(new Response(null), 1), "");
});

test("a language writes numbers in its way", () => {
  for (const [language, expected] of [
    ["en", "2.5 50%"],
    ["de", "2,5 50\u00a0%"],
    ["fr", "2,5 50\u00a0%"],
    ["pt", "2,5 50%"],
  ]) {
    const [speed, volume] = [formatNumber(2.5, language), formatNumber(0.5, language, "percent")];
    assert.equal(`${speed} ${volume}`, expected, language);
  }
  assert.equal(fill("{percent} of {other}", { percent: "50%" }), "50% of {other}");
});

test("a tag has the texts of its language, else English", () => {
  for (const [tag, expected] of [["pt-BR", "pt"], ["DE", "de"], ["nl", "en"], ["", "en"]])
    assert.equal(languageOf(tag), expected, tag);
  for (const tag of ["constructor", "__proto__", "toString-x"]) assert.equal(languageOf(tag), "en");
});

test("Portuguese texts are right in Brazil and in Portugal", () => {
  const file = new URL("src/texts/pt.json", import.meta.url);
  const words = /ecrã|ficheiro|definições|noutr|demasiad|transferência|eliminar|está a \w+r\b|tela /i;
  for (const [key, text] of Object.entries(JSON.parse(readFileSync(file, "utf8"))))
    assert.doesNotMatch(text, words, key);
});

test("every language has every text", () => {
  for (const language of ["de", "es", "fr", "hi", "pt"]) {
    const texts = JSON.parse(readFileSync(new URL(`src/texts/${language}.json`, import.meta.url), "utf8"));
    assert.deepEqual(Object.keys(texts), Object.keys(en), language);
    const values = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
    for (const [key, text] of Object.entries(texts)) assert.deepEqual(values(text), values(en[key]), `${language} ${key}`);
  }
});
