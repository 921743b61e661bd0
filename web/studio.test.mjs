// Decisions of the studio page, and its uploads against an edge and a journal in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, retryDelayMs } from "./src/studio/answers.ts";
import { isSameFile } from "./src/studio/file-check.ts";
import { embedCode, formatBytes, formatLeft } from "./src/studio/format.ts";
import { parseUploadLink } from "./src/studio/fragment.ts";
import { isSegmentCut } from "./src/studio/matroska.ts";
import { MemoryJournal } from "./src/studio/memory-journal.ts";
import { numberedName, objectNameOf } from "./src/studio/object-name.ts";
import { bytesOf, isOneRequest, missingParts, partRange, planParts } from "./src/studio/parts.ts";
import { RateMeter } from "./src/studio/rate.ts";
import { isFinal, isWatchLinkOf, parseStatus, pollDelayMs } from "./src/studio/status.ts";
import { abandon, Upload } from "./src/studio/upload.ts";
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
  assert.deepEqual(parseStatus(JSON.stringify(failed)), { state: "failed", rungs: [], failure: "The file has no video." });
  for (const text of ["", "[]", "null", "{}", '{"state":"melting"}', '{"state":"constructor"}', "<html>"])
    assert.equal(parseStatus(text), undefined, text);
  assert.deepEqual(parseStatus('{"state":"waiting","percent":1e9,"lecture":"x","rungs":"480p","error":"no"}'), { state: "waiting", rungs: [] });
  const long = parseStatus(JSON.stringify({ state: "failed", error: { text: "x".repeat(9_999) }, rungs: Array(99).fill("y") }));
  assert.deepEqual([long.failure.length, long.rungs.length], [500, 20]);
  assert.deepEqual(["waiting", "packaging", "playing", "done", "failed"].map((state) => isFinal({ state })), [false, false, false, true, true]);
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
    ["a.TS", "text/vnd.trolltech.linguist", ["video/*"], true],
    ["a.mp4", "video/mp4", ["video/quicktime"], false],
    ["a.wav", "", ["video"], false],
    ["a.pdf", "application/pdf", [], true],
    ["a.pdf", "application/pdf", ["documents"], true],
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
