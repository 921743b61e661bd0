// What the player page reports of a video.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askPosition, endpoint, PlayedRanges, watch } from "./src/watching.ts";

const token = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
const linkOf = (claims) => new URL(`https://h/a/caf%C3%A9/master.m3u8?token=${token(claims)}`);

test("ranges end where the viewer seeks, and go on at whole seconds", () => {
  const played = new PlayedRanges();
  for (const time of [0.04, 0.3, 10.4]) played.at(time);
  assert.deepEqual(played.take(), [[0.04, 10.4]]);
  played.at(12.2);
  played.stop();
  played.at(40);
  played.at(41);
  assert.deepEqual(played.take(), [[10, 12.2], [40, 41]]);
  played.at(5);
  played.at(6);
  assert.deepEqual(played.take(), [[5, 6]]);
  assert.deepEqual(played.take(), []);
});

test("ranges of a failed report are sent with the next one", () => {
  const played = new PlayedRanges();
  played.at(0);
  played.at(30.5);
  const failed = played.take();
  played.at(61);
  played.putBack(failed);
  assert.deepEqual(played.take(), [[0, 61]]);
});

test("a report has at most 200 ranges", () => {
  const played = new PlayedRanges();
  for (let at = 0; at < 3000; at += 10) {
    played.at(at);
    played.at(at + 1);
    played.stop();
  }
  const ranges = played.take();
  assert.equal(ranges.length, 200);
  assert.deepEqual(ranges.at(-1), [1990, 1991]);
  assert.equal(played.take().length, 100, "the rest comes with the next one");
});

test("a report goes to the edge with the path, the link and the session", () => {
  const link = linkOf({ sub: "s42" });
  link.searchParams.set("session", "AQID");
  const url = endpoint(link);
  assert.equal(url.origin + url.pathname, "https://h/_lectern/watched");
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    path: "/a/caf%C3%A9/master.m3u8",
    token: token({ sub: "s42" }),
    session: "AQID",
  });
});

/** A video, a document and an edge that answers these statuses in turn. */
function stage(t, statuses, progress = { position: 0 }, refusal = { code: "not_found" }) {
  const sent = [];
  t.mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  const video = Object.assign(new EventTarget(), {
    currentTime: 0, duration: 100, playbackRate: 1.5, paused: true, seeking: false, ended: false, readyState: 1, HAVE_METADATA: 1,
  });
  const page = new EventTarget();
  t.mock.method(globalThis, "fetch", async (url, { method = "GET", body, headers } = {}) => {
    const status = statuses.shift() ?? 200;
    sent.push({ method, url: String(url), status, headers, ...(body && JSON.parse(body)) });
    if (status === 0) throw new TypeError("network");
    return new Response(JSON.stringify(status < 300 ? progress : refusal), { status });
  });
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  globalThis.addEventListener = page.addEventListener.bind(page);
  const happen = async (name, target = video) => {
    target.dispatchEvent(new Event(name));
    await new Promise(setImmediate);
  };
  const playTo = async (time) => {
    video.paused = false;
    for (; video.currentTime < time; video.currentTime += 0.25) {
      await happen("timeupdate");
      t.mock.timers.tick(250 / 1.5);
    }
  };
  const reports = () => sent.filter(({ method }) => method === "POST");
  return { video, page, sent, reports, happen, playTo };
}

test("what plays is reported every 30 seconds, on a pause, at the end and on leaving", async (t) => {
  const { video, page, reports, happen, playTo } = stage(t, []);
  watch(video, () => linkOf({ sub: "s42" }).href);
  t.mock.timers.tick(60_000);
  await happen("play");
  await playTo(99);
  assert.deepEqual(reports().map(({ ranges }) => ranges), [[[0, 45]], [[45, 90]]]);
  assert.equal(reports()[0].speed, 1.5);
  video.paused = true;
  await happen("pause");
  assert.deepEqual(reports()[2].ranges, [[90, 99]]);
  await happen("pause");
  assert.equal(reports().length, 3, "nothing new");
  await happen("seeking");
  video.currentTime = 10;
  await happen("pagehide", page);
  const last = reports()[3];
  assert.deepEqual([last.position, last.ranges, last.final], [10, [], true]);
});

test("an edge that keeps no watch data is asked once", async (t) => {
  const { video, sent, happen, playTo } = stage(t, [404]);
  watch(video, () => linkOf({ sub: "s42" }).href);
  assert.equal(sent.length, 0, "the opening has asked for the position");
  await playTo(99);
  await happen("pause");
  assert.equal(sent.length, 1);
});

test("a link without a viewer asks for nothing", async (t) => {
  const { video, sent, happen, playTo } = stage(t, []);
  for (const link of [linkOf({}).href, linkOf({ sub: "" }).href, "https://h/a/master.m3u8?token=a.b.c"]) {
    watch(video, () => link);
    await playTo(80);
    await happen("pause");
  }
  assert.equal(sent.length, 0);
});

test("each request names the pages around the player", async (t) => {
  const { video, sent, playTo } = stage(t, []);
  const headers = { "Lectern-Embedder": "https://school.example" };
  watch(video, () => linkOf({ sub: "s42" }).href, headers);
  await playTo(80);
  await askPosition(linkOf({ sub: "s42" }), headers);
  assert.deepEqual(sent.map((request) => [request.method, request.headers]), [["POST", headers], ["GET", headers]]);
});

test("a report that fails is sent with the next one, by the newest link", async (t) => {
  let current = linkOf({ sub: "s42" }).href;
  const { video, reports, playTo } = stage(t, [0, 503]);
  watch(video, () => current);
  await playTo(60);
  current = linkOf({ sub: "s42", jti: "2" }).href;
  await playTo(99);
  const lengths = reports().map(({ ranges }) => ranges);
  assert.deepEqual(lengths[0], [[0, 45]]);
  assert.equal(lengths[1][0][0], 0);
  assert.ok(reports()[1].url.includes(token({ sub: "s42", jti: "2" })), reports()[1].url);
});

test("a live lecture is not reported", async (t) => {
  const { video, reports, happen, playTo } = stage(t, []);
  let isLive = true;
  watch(video, () => linkOf({ sub: "s42" }).href, {}, () => {}, () => isLive);
  await playTo(90);
  assert.equal(reports().length, 0);
  isLive = false;
  video.ended = true;
  await happen("ended");
  assert.equal(reports().length, 1);
});

test("a lecture that another one replaces is reported for the last time", async (t) => {
  const { video, reports, happen, playTo } = stage(t, []);
  const leaving = new AbortController();
  watch(video, () => linkOf({ sub: "s42" }).href, {}, () => {}, () => false, leaving.signal);
  await playTo(20);
  leaving.abort();
  await new Promise(setImmediate);
  assert.deepEqual(reports().map(({ ranges, final }) => [ranges, final]), [[[[0, 19.75]], true]]);
  video.currentTime = 0;
  await playTo(60);
  await happen("ended");
  assert.equal(reports().length, 1);
});

test("a player whose place is taken stops", async (t) => {
  const stopped = [];
  const { video, reports, playTo } = stage(t, [403], { position: 0 }, { code: "too_many_sessions" });
  watch(video, () => linkOf({ sub: "s42" }).href, {}, ({ code }) => stopped.push(code));
  await playTo(99);
  assert.deepEqual([stopped, reports().length], [["too_many_sessions"], 1]);
});

test("an answer that is not the edge's is a report that fails", async (t) => {
  for (const statuses of [[404], [403], [200]]) {
    const { video, reports, playTo } = stage(t, statuses, { page: "Log in" }, { page: "Log in" });
    watch(video, () => linkOf({ sub: "s42" }).href);
    await playTo(99);
    assert.equal(reports()[1].ranges[0][0], 0, statuses);
    t.mock.reset();
  }
});

test("a viewer's position is a number of the edge, or none", async (t) => {
  for (const [status, progress, claims, expected] of [
    [200, { position: 61 }, { sub: "s42" }, 61],
    [200, { page: "Log in" }, { sub: "s42" }, undefined],
    [404, {}, { sub: "s42" }, undefined],
    [0, {}, { sub: "s42" }, undefined],
    [200, { position: 61 }, {}, undefined],
  ]) {
    stage(t, [status], progress);
    assert.equal(await askPosition(linkOf(claims)), expected, `${status} ${JSON.stringify(progress)}`);
    t.mock.reset();
  }
});
