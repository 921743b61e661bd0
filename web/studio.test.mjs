// Decisions of the studio page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, retryDelayMs } from "./src/studio/answers.ts";
import { isSameFile } from "./src/studio/file-check.ts";
import { embedCode, formatBytes, formatLeft } from "./src/studio/format.ts";
import { parseUploadLink } from "./src/studio/fragment.ts";
import { isSegmentCut } from "./src/studio/matroska.ts";
import { numberedName, objectNameOf } from "./src/studio/object-name.ts";
import { bytesOf, isOneRequest, missingParts, partRange, planParts } from "./src/studio/parts.ts";
import { RateMeter } from "./src/studio/rate.ts";
import { isFinal, isNewer, isWatchLinkOf, parseStatus, pollDelayMs } from "./src/studio/status.ts";
import { viewOf } from "./src/studio/view.ts";
import { isAllowedType, mediaWarnings, sizeWarnings } from "./src/studio/warnings.ts";
import en from "./src/texts/studio/upload-en.json" with { type: "json" };

const EDGE = "https://video.school.example";
const tokenOf = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
const UPLOAD = tokenOf({ path: "/uploads/rails/", use: "upload", exp: 4_000_000_000, max_bytes: 9, types: ["video"] });

test("a fragment is an upload link to a folder of this edge", () => {
  const parse = (fragment) => parseUploadLink(fragment, EDGE);
  const link = `/uploads/rails/?token=${UPLOAD}`;
  const hints = { exp: 4_000_000_000, max_bytes: 9, types: ["video"] };
  const expected = { origin: EDGE, folder: "/uploads/rails/", token: UPLOAD, hints };
  assert.deepEqual(parse(`#${link}`), expected);
  assert.deepEqual(parse(`#${EDGE}${link}`), expected);
  const watch = "/courses/rails/intro/master.m3u8?token=a.b.c&x=1";
  const { watch: found, ...others } = parse(`#${link}&watch=${encodeURIComponent(watch)}`);
  assert.deepEqual([found.href, others], [EDGE + watch, expected]);
  assert.equal(parse(`#${link}&watch=${encodeURIComponent("https://evil.example/x")}`).watch, undefined);
  // A folder below that of the claim, and a link whose URL names an object.
  assert.equal(parse(`#/uploads/rails/a/?token=${UPLOAD}`).folder, "/uploads/rails/a/");
  assert.equal(parse(`#/uploads/rails/x.mp4?token=${UPLOAD}`).folder, "/uploads/rails/");
  const umlaut = tokenOf({ path: "/kurse/größe/", use: "upload" });
  assert.equal(parse(`#/?token=${umlaut}`).folder, "/kurse/gr%C3%B6%C3%9Fe/");
  const odd = tokenOf({ path: "/u/", use: "upload", exp: "soon", max_bytes: -1, types: [1] });
  assert.deepEqual(parse(`#/u/?token=${odd}`).hints, {});
  for (const [fragment, refusal] of [
    ["", "no_link"],
    ["#", "no_link"],
    ["#/uploads/rails/", "no_link"],
    ["#javascript:alert(1)?token=a", "no_link"],
    [`#https://evil.example${link}`, "other_site"],
    [`#/uploads/rails/?token=${tokenOf({ path: "/uploads/rails/" })}`, "not_upload"],
    ["#/uploads/rails/?token=nonsense", "not_upload"],
    [`#/u/x.mp4?token=${tokenOf({ path: "/u/x.mp4", use: "upload" })}`, "not_folder"],
    [`#/u/?token=${tokenOf({ use: "upload" })}`, "not_folder"],
  ]) {
    assert.equal(parse(fragment), refusal, fragment);
    assert.ok(en[refusal], refusal);
  }
});

test("an object's name is one that every edge accepts", () => {
  for (const [file, expected] of [
    ["intro.mp4", "intro.mp4"],
    ["Lecture 1 (final).MOV", "Lecture-1-final.mov"],
    ["größe & co;x%41\\y.mkv", "größe-co-x-41-y.mkv"],
    ["व्याख्यान १.mp4", "व्याख्यान-१.mp4"],
    ["../../etc/passwd", "etc-passwd"],
    [".mp4", "mp4"],
    ["....", "lecture"],
    ["\u202egpj.exe.mp4", "gpj.exe.mp4"],
    ["a.b.c.tar", "a.b.c.tar"],
    ["no extension", "no-extension"],
    ["x.averylongextension", "x.averylongextension"],
    [`${"ä".repeat(300)}.mp4`, `${"ä".repeat(98)}.mp4`],
  ])
    assert.equal(objectNameOf(file), expected, file);
  assert.equal(numberedName("intro.mp4", 2), "intro-2.mp4");
  assert.equal(numberedName("intro", 12), "intro-12");
  const long = objectNameOf(`${"x".repeat(400)}.mp4`);
  assert.equal(numberedName(long, 3).length, 200);
});

test("parts have 16 MiB, and more where 10,000 do not suffice", () => {
  const MIB = 2 ** 20;
  for (const [size, partBytes, count] of [
    [1, 16 * MIB, 1],
    [16 * MIB, 16 * MIB, 1],
    [16 * MIB + 1, 16 * MIB, 2],
    [160_000 * MIB, 16 * MIB, 10_000],
    [160_000 * MIB + 1, 17 * MIB, 9412],
  ])
    assert.deepEqual(planParts(size), { partBytes, count }, `${size}`);
  assert.ok(isOneRequest(16 * MIB) && !isOneRequest(16 * MIB + 1));
  assert.deepEqual([1, 2, 3].map((number) => partRange(25, 10, number)), [[0, 10], [10, 20], [20, 25]]);
  assert.equal(bytesOf(25, 10, [1, 3]), 15);
  assert.deepEqual(missingParts({ partBytes: 10, count: 4 }, new Map([[2, "e"]])), [1, 3, 4]);
});

test("an answer ends an upload, or is asked for again", () => {
  for (const [answer, verdict] of [
    [{ status: 200 }, "done"],
    [{ status: 201 }, "done"],
    [{ status: 204 }, "done"],
    [{ status: 0 }, "retry"],
    [{ status: 503, code: "busy" }, "retry"],
    [{ status: 500, code: "misconfigured" }, "refused"],
    [{ status: 429, code: "rate_limited" }, "retry"],
    [{ status: 403, code: "expired" }, "link"],
    [{ status: 403, code: "revoked" }, "link"],
    [{ status: 403, code: "forbidden" }, "refused"],
    [{ status: 412 }, "exists"],
    [{ status: 404, code: "no_upload" }, "gone"],
    [{ status: 404 }, "refused"],
    [{ status: 413, code: "payload_too_large" }, "refused"],
  ])
    assert.equal(judge(answer), verdict, JSON.stringify(answer));
  for (const [attempt, retryAfter, random, expected] of [
    [0, null, 0, 250],
    [0, null, 1, 500],
    [3, undefined, 1, 4_000],
    [60, null, 1, 15_000],
    [0, "3", 0.5, 3_000],
    [0, "86400", 0.5, 60_000],
    [0, "Wed, 21 Oct 2026 07:28:00 GMT", 1, 500],
  ])
    assert.equal(retryDelayMs(attempt, retryAfter, random), expected, `${attempt} ${retryAfter}`);
});

test("the rate is that of the last twenty seconds", () => {
  const meter = new RateMeter();
  assert.equal(meter.bytesPerSecond(), undefined);
  meter.add(0, 0);
  meter.add(1_000, 5_000);
  assert.equal(meter.bytesPerSecond(), undefined);
  meter.add(4_000, 8_000);
  assert.equal(meter.bytesPerSecond(), 2_000);
  assert.equal(meter.secondsFor(6_000), 3);
  for (let second = 5; second <= 40; second += 1) meter.add(1000 * second, 8_000 + 100 * (second - 4));
  assert.equal(meter.bytesPerSecond(), 100);
  // A part that is sent again begins the measurement anew.
  meter.add(41_000, 1_000);
  assert.equal(meter.bytesPerSecond(), undefined);
  meter.reset();
  assert.equal(meter.secondsFor(1), undefined);
});

test("a status is read with bounds, and polled more and more rarely", () => {
  const full = { state: "playing", percent: 40.7, lecture: "/courses/rails/intro/", rungs: ["480p", 7], updated: 1_800_000_000 };
  assert.deepEqual(parseStatus(JSON.stringify(full)), { ...full, percent: 40, rungs: ["480p"] });
  const failed = { state: "failed", error: { code: "no_video", text: "The file has no video." } };
  assert.deepEqual(parseStatus(JSON.stringify(failed)), { state: "failed", rungs: [], failure: "The file has no video.", failureCode: "no_video" });
  for (const text of ["", "[]", "null", "{}", '{"state":"melting"}', '{"state":"constructor"}', "<html>"])
    assert.equal(parseStatus(text), undefined, text);
  assert.deepEqual(parseStatus('{"state":"waiting","percent":1e9,"lecture":"x","rungs":"480p","error":"no"}'), { state: "waiting", rungs: [] });
  const long = parseStatus(JSON.stringify({ state: "failed", error: { text: "x".repeat(9_999) }, rungs: Array(99).fill("y") }));
  assert.deepEqual([long.failure.length, long.rungs.length], [500, 20]);
  assert.deepEqual(["waiting", "packaging", "playing", "done", "failed"].map((state) => isFinal({ state })), [false, false, false, true, false]);
  // The queue repeats a job that failed, unless a limit or its last attempt ends it.
  assert.deepEqual(["damaged", "too_large", "too_long", "given_up"].map((failureCode) => isFinal({ state: "failed", failureCode })), [false, true, true, true]);
  for (const [updated, before, expected] of [[5, undefined, true], [undefined, 5, true], [5, 5, false], [4, 5, false], [6, 5, true]])
    assert.equal(isNewer({ updated }, before), expected, `${updated} ${before}`);
  assert.deepEqual([0, 1, 100].map((unchanged) => Math.round(pollDelayMs(unchanged))), [2_000, 2_800, 30_000]);
  const watch = new URL(`${EDGE}/courses/gr%C3%BCn/intro/master.m3u8?token=t`);
  assert.deepEqual(
    [isWatchLinkOf(watch, "/courses/grün/intro/", 9), isWatchLinkOf(watch, "/courses/b/", 1), isWatchLinkOf(watch, undefined, 1), isWatchLinkOf(watch, undefined, 2)],
    [true, false, true, false],
  );
});

test("a file with a fault is reported before it goes up", () => {
  const video = { type: "video", codec: "avc", isDecodable: true };
  const audio = { type: "audio", codec: "aac", isDecodable: true };
  const sound = { format: "MP4", seconds: 60, tracks: [video, audio] };
  for (const [facts, codes, blocks] of [
    [sound, []],
    [{ ...sound, tracks: [video] }, ["no_audio"]],
    [{ ...sound, tracks: [audio] }, ["no_video"]],
    [{ ...sound, tracks: [] }, ["no_video", "no_audio"]],
    [{ ...sound, isCut: true, readableSeconds: 6.6 }, ["cut"]],
    [{ ...sound, isUnreadable: true }, ["unreadable"]],
    [{ ...sound, tracks: [{ ...video, isDecodable: false, codec: "hevc" }, audio] }, ["codec"]],
    [{ ...sound, tracks: [{ ...video, isHdr: true }, audio] }, ["hdr"]],
    [{ tracks: [] }, ["unknown_format"]],
    [{ format: "MP4", tracks: [], isWithoutIndex: true }, ["no_index"], true],
  ]) {
    const found = mediaWarnings(facts);
    assert.deepEqual(found.map(({ code }) => code), codes, JSON.stringify(facts));
    assert.equal(found.some(({ isBlocking }) => isBlocking), blocks ?? false, JSON.stringify(facts));
    for (const code of codes) assert.ok(en[`warn_${code}`], code);
  }
  const now = 1_800_000_000;
  const file = (size, name = "a.mp4", type = "video/mp4") => ({ name, size, type });
  for (const [given, hints, codes] of [
    [file(5), {}, []],
    [file(0), {}, ["empty"]],
    [file(10), { max_bytes: 9 }, ["too_large"]],
    [file(9), { max_bytes: 9 }, []],
    [file(9, "a.pdf", "application/pdf"), { types: ["video", "audio"] }, ["wrong_type"]],
    [file(9), { exp: now - 1 }, ["expired"]],
    [file(2e9), { exp: now + 600 }, ["expires_soon"]],
    [file(2e6), { exp: now + 600 }, []],
  ])
    assert.deepEqual(sizeWarnings(given, hints, now).map(({ code }) => code), codes, JSON.stringify([given, hints]));
  for (const [name, type, types, expected] of [
    ["a.mkv", "", ["video"], true],
    ["a.TS", "text/vnd.trolltech.linguist", ["video"], true],
    ["a.wav", "", ["video"], false],
    ["a.wav", "", ["video", "audio"], true],
    ["a.pdf", "application/pdf", ["video", "captions"], false],
    ["a.vtt", "text/vtt", ["captions"], true],
    // The edge knows more names and kinds.
    ["a.gxf", "", ["video"], true],
    ["a.pdf", "application/pdf", [], true],
    ["a.pdf", "application/pdf", ["video", "hls"], true],
  ])
    assert.equal(isAllowedType({ name, type }, types), expected, `${name} ${types}`);
});

test("a Matroska file says how long it is", () => {
  const header = [0x1a, 0x45, 0xdf, 0xa3, 0x84, 1, 2, 3, 4, 0x18, 0x53, 0x80, 0x67];
  const sized = Uint8Array.from([...header, 0x40, 100]);
  const live = Uint8Array.from([...header, 0x01, 255, 255, 255, 255, 255, 255, 255]);
  assert.deepEqual([114, 115, 116].map((size) => isSegmentCut(sized, size)), [true, false, false]);
  assert.equal(isSegmentCut(live, 30), false);
  for (let length = 0; length < sized.length; length += 1) assert.equal(isSegmentCut(sized.subarray(0, length), 1), false);
  assert.equal(isSegmentCut(Uint8Array.from([0, 0, 0, 24, 102, 116, 121, 112]), 1), false);
});

test("sizes, times and the code of an embed are written as people read them", () => {
  assert.deepEqual([0, 999, 1_400, 45_600_000, 1_940_000_000, 999_900_000].map((bytes) => formatBytes(bytes, "en")), ["0 byte", "999 byte", "1 kB", "46 MB", "1.9 GB", "1 GB"]);
  assert.equal(formatBytes(1_940_000_000, "de"), "1,9\u00a0GB");
  assert.deepEqual([0, 7, 89, 91, 5_401].map((seconds) => formatLeft(seconds, "en")), ["5 seconds", "10 seconds", "90 seconds", "2 minutes", "2 hours"]);
  assert.equal(
    embedCode(`${EDGE}/_lectern/play#/a?x=1&y="<`, 'A "B" <C>'),
    `<iframe src="${EDGE}/_lectern/play#/a?x=1&amp;y=&quot;&lt;" title="A &quot;B&quot; &lt;C&gt;" allow="autoplay; fullscreen; picture-in-picture" style="border:0;width:100%;aspect-ratio:16/9"></iframe>`,
  );
});

test("every state has a sentence and its buttons", () => {
  const facts = { name: "a.mp4", file: "a.mp4", size: 10, sent: 5 };
  const status = (state, more = {}) => ({ name: "stored", packaging: { state, rungs: [], ...more } });
  for (const [state, text, actions, bar] of [
    [{ name: "reading" }, "reading", ["leave_out"]],
    [{ name: "blocked" }, "blocked", ["leave_out"]],
    [{ name: "confirm" }, "confirm", ["upload_anyway", "leave_out"]],
    [{ name: "queued" }, "queued", ["cancel"], 0.5],
    [{ name: "sending", isWaiting: false, isOffline: false }, "sending", ["pause", "cancel"], 0.5],
    [{ name: "sending", isWaiting: true, isOffline: false }, "waiting", ["pause", "cancel"], 0.5],
    [{ name: "sending", isWaiting: true, isOffline: true }, "offline", ["pause", "cancel"], 0.5],
    [{ name: "paused" }, "paused", ["resume", "cancel"], 0.5],
    [{ name: "cancelling" }, "cancelling", []],
    [{ name: "link", code: "expired" }, "link_expired", ["retry", "cancel"], 0.5],
    [{ name: "link", code: "revoked" }, "link_revoked", ["retry", "cancel"], 0.5],
    [{ name: "exists", isMaybeOwn: false }, "exists", ["new_name", "replace", "cancel"]],
    [{ name: "exists", isMaybeOwn: true }, "exists_maybe_own", ["new_name", "replace", "cancel"]],
    [{ name: "other_tab" }, "other_tab", []],
    [{ name: "needs_file", canReopen: false, isWrong: false }, "needs_file", ["choose_again", "cancel"], 0.5],
    [{ name: "needs_file", canReopen: true, isWrong: false }, "needs_permission", ["open_file", "choose_again", "cancel"], 0.5],
    [{ name: "needs_file", canReopen: false, isWrong: true }, "wrong_file", ["choose_again", "cancel"], 0.5],
    [{ name: "file_changed" }, "file_changed", ["choose_again", "cancel"], 0.5],
    [{ name: "unannounced" }, "unannounced", ["retry", "dismiss"]],
    [{ name: "failed", status: 413, detail: "" }, "failed_no_reason", ["retry", "cancel"], 0.5],
    [{ name: "failed", status: 413, detail: "too large" }, "failed", ["retry", "cancel"], 0.5],
    [{ name: "stored" }, "stored", ["dismiss"]],
    [status("waiting"), "status_waiting", ["dismiss"]],
    [status("waiting", { failure: "cut short" }), "status_failed", ["dismiss"]],
    [status("packaging", { percent: 40 }), "status_packaging", ["dismiss"], 0.4],
    [status("playing", { percent: 40 }), "status_playing", ["dismiss"], 0.4],
    [status("playing", { percent: 40, rungs: ["480p"] }), "status_playing_in", ["dismiss"], 0.4],
    [status("done"), "status_done", ["dismiss"]],
    [status("failed"), "status_failed_no_reason", ["dismiss"]],
    [status("failed", { failure: "no video" }), "status_failed", ["dismiss"]],
  ]) {
    const view = viewOf(state, facts, false);
    assert.deepEqual([view.text, view.actions, view.bar], [text, actions, bar], JSON.stringify(state));
    for (const key of [view.text, ...actions.map((action) => `act_${action}`)]) assert.ok(en[key], key);
  }
  const rate = { ...facts, bytesPerSecond: 1, secondsLeft: 5 };
  assert.equal(viewOf({ name: "sending", isWaiting: false, isOffline: false }, rate, false).text, "sending_rate");
  assert.deepEqual(viewOf({ name: "paused" }, facts, true).actions, ["discard", "keep"]);
});

test("a file is the same only with its name, length, time and both ends", () => {
  const file = { name: "a", size: 1, lastModified: 2, head: "h", tail: "t" };
  assert.ok(isSameFile(file, { ...file }));
  for (const change of [{ name: "b" }, { size: 2 }, { lastModified: 3 }, { head: "x" }, { tail: "x" }])
    assert.ok(!isSameFile(file, { ...file, ...change }), JSON.stringify(change));
});
