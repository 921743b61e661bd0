// Lectures that a device keeps: files, sizes, the end, and answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answerTo,
  bare,
  cacheOf,
  ended,
  endOf,
  estimatedBytes,
  formatBytes,
  formatSpan,
  isAnswered,
  isForgotten,
  isLectureCache,
  parseKept,
  rangeOf,
  reduce,
  rungIn,
} from "./src/offline.ts";

const MASTER = "/courses/intro/master.m3u8";
const BASE = `https://edge.example${MASTER}?token=t`;
const kept = {
  path: MASTER,
  sub: "s42",
  state: "kept",
  at: 1_000_000,
  seconds: 60,
  height: 480,
  playlist: "/courses/intro/v/1/480p.m3u8",
  bytes: 5,
};
const asked = { method: "GET", isPage: false, isReload: false, hasLink: false, sub: "", hasPass: false };
const opening = { ...asked, path: MASTER, hasLink: true, sub: "s42" };
const segment = { ...asked, path: "/courses/intro/v/1/480p/00001.m4s" };

test("a request has its answer from the device, the edge or a refusal", () => {
  const [early, playing, late] = [999_999, 1_030_000, 1_060_000];
  for (const [request, change, now, expected] of [
    [opening, {}, playing, "lecture"],
    [segment, {}, playing, "lecture"],
    [{ ...segment, hasPass: true }, {}, playing, "lecture"],
    [opening, {}, kept.at, "lecture"],
    [opening, {}, late - 1, "lecture"],
    // The end, and a clock that was set back.
    [opening, {}, late, "edge"],
    [segment, {}, late, "refusal"],
    // A lecture that plays from the edge waits for it, whatever the device had.
    [{ ...segment, hasPass: true }, {}, late, "network"],
    [opening, {}, early, "edge"],
    [segment, {}, early, "refusal"],
    [segment, { state: "over" }, playing, "refusal"],
    // Other lectures, other viewers, and what is not complete.
    [{ ...opening, sub: "s43" }, {}, playing, "network"],
    [{ ...opening, path: "/courses/other/master.m3u8" }, {}, playing, "network"],
    [{ ...segment, path: "/courses/introduction/00001.m4s" }, {}, playing, "network"],
    [opening, { state: "loading" }, playing, "network"],
    [segment, { state: "loading" }, late, "network"],
    [{ ...opening, method: "POST" }, {}, playing, "network"],
    [{ ...opening, isReload: true }, {}, playing, "network"],
    // The page, its files, and the edge's own addresses.
    [{ ...asked, path: "/_lectern/play", isPage: true }, {}, late, "page"],
    [{ ...asked, path: "/_lectern/embed-test", isPage: true }, {}, playing, "network"],
    [{ ...asked, path: "/_lectern/assets/play-1.js" }, {}, playing, "assets"],
    [{ ...asked, path: "/_lectern/watched" }, {}, playing, "network"],
  ]) {
    const { from } = answerTo(request, [{ ...kept, ...change }], now);
    assert.equal(from, expected, JSON.stringify([request, change, now]));
    if (from !== "network") assert.ok(isAnswered(request));
  }
});

test("a lecture of two viewers plays for the one whose time has not ended", () => {
  const other = { ...kept, sub: "s43", at: 1_050_000 };
  const answer = answerTo(segment, [kept, other], 1_070_000);
  assert.deepEqual(answer, { from: "lecture", kept: other, isOpening: false });
  assert.equal(answerTo(opening, [kept, other], 1_070_000).from, "edge");
});

test("files go at the end, and stay while a clock is wrong", () => {
  const loading = { ...kept, state: "loading" };
  const all = [kept, loading, { ...kept, state: "over" }];
  assert.equal(endOf(kept), 1_060_000);
  assert.deepEqual(ended(all, 1_059_999), []);
  assert.deepEqual(ended(all, 1_060_000), [kept, loading]);
  assert.deepEqual(ended(all, 0), []);
  const known = 1_060_000 + 30 * 86_400_000;
  for (const [state, now, expected] of [
    ["kept", 1_060_000, false],
    ["over", known - 1, false],
    ["over", known, true],
    ["loading", 1_060_000, true],
  ])
    assert.equal(isForgotten({ ...kept, state }, now), expected, `${state} ${now}`);
  assert.equal(ended(all, known).length, 3);
});

test("an entry of the list is read as it was written, and nothing else", () => {
  assert.deepEqual(parseKept(JSON.parse(JSON.stringify(kept))), kept);
  for (const value of [null, "x", [], {}, { ...kept, at: "now" }, { ...kept, state: "new" }, { ...kept, sub: 1 }])
    assert.equal(parseKept(value), undefined, JSON.stringify(value));
  assert.ok(isLectureCache(cacheOf(kept)));
  assert.ok(!isLectureCache("lectern page"));
  assert.notEqual(cacheOf({ ...kept, playlist: "/2" }), cacheOf(kept));
});

test("a range is part of a file, and another header is none", () => {
  for (const [header, size, expected] of [
    ["bytes=0-0", 10, [0, 0]],
    ["bytes=2-5", 10, [2, 5]],
    ["bytes=2-", 10, [2, 9]],
    ["bytes=2-99", 10, [2, 9]],
    ["bytes=10-", 10, undefined],
    ["bytes=5-2", 10, undefined],
    ["bytes=-5", 10, undefined],
    ["bytes=0-1,3-4", 10, undefined],
    ["lines=0-1", 10, undefined],
    [null, 10, undefined],
  ])
    assert.deepEqual(rangeOf(header, size), expected, header);
});

const MULTIVARIANT = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-CONTENT-STEERING:SERVER-URI="steer?token=t",PATHWAY-ID="a"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="English",LANGUAGE="en",URI="v/1/en.m3u8?p=A"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="Deutsch",LANGUAGE="de",URI="v/1/de.m3u8?p=B"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="high",NAME="English",LANGUAGE="en",URI="v/1/en-hi.m3u8?p=C"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",URI="v/1/en-vtt.m3u8?p=D"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",INSTREAM-ID="CC1"
#EXT-X-SESSION-DATA:DATA-ID="com.apple.hls.chapters",URI="v/1/chapters.json?p=E"
#EXT-X-SESSION-DATA:DATA-ID="lectern.storyboard",URI="v/1/storyboard.vtt?p=F",FORMAT=RAW
#EXT-X-SESSION-DATA:DATA-ID="elsewhere",URI="https://other.example/x.json"
#EXT-X-SESSION-DATA:DATA-ID="title",VALUE="Introduction"
#EXT-X-STREAM-INF:BANDWIDTH=900000,AUDIO="high",RESOLUTION=1280x720
v/1/720p.m3u8?p=G
#EXT-X-STREAM-INF:BANDWIDTH=400000,AUDIO="low",SUBTITLES="subs",RESOLUTION=854x480
v/1/480p.m3u8?p=H
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="v/1/i.m3u8?p=I"
`;

test("a Multivariant Playlist keeps one rung, its audio and its captions", () => {
  const reduced = reduce(MULTIVARIANT.replaceAll("\n", "\r\n"), BASE, kept.playlist);
  assert.equal(
    reduced.text,
    `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="English",LANGUAGE="en",URI="/courses/intro/v/1/en.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="low",NAME="Deutsch",LANGUAGE="de",URI="/courses/intro/v/1/de.m3u8"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",URI="/courses/intro/v/1/en-vtt.m3u8"
#EXT-X-SESSION-DATA:DATA-ID="com.apple.hls.chapters",URI="/courses/intro/v/1/chapters.json"
#EXT-X-SESSION-DATA:DATA-ID="title",VALUE="Introduction"
#EXT-X-STREAM-INF:BANDWIDTH=400000,AUDIO="low",SUBTITLES="subs",RESOLUTION=854x480
/courses/intro/v/1/480p.m3u8
`,
  );
  const url = (name) => `https://edge.example/courses/intro/v/1/${name}`;
  assert.deepEqual(reduced.playlists, ["480p.m3u8?p=H", "en.m3u8?p=A", "de.m3u8?p=B", "en-vtt.m3u8?p=D"].map(url));
  assert.deepEqual(reduced.files, [url("chapters.json?p=E")]);
});

test("a rung of another revision or another server is not kept", () => {
  assert.equal(reduce(MULTIVARIANT, BASE, "/courses/intro/v/2/480p.m3u8"), "unknown");
  const elsewhere = MULTIVARIANT.replace("v/1/en.m3u8", "https://other.example/en.m3u8");
  assert.equal(reduce(elsewhere, BASE, kept.playlist), "elsewhere");
  const stream = MULTIVARIANT.replace("v/1/480p.m3u8", `https://other.example${kept.playlist}`);
  assert.equal(reduce(stream, BASE, kept.playlist), "elsewhere");
});

test("another revision has the rung that is most like the kept one", () => {
  const rung = (height, codecs, bandwidth) =>
    `#EXT-X-STREAM-INF:BANDWIDTH=${bandwidth},CODECS="${codecs}",RESOLUTION=1x${height}\n2/${codecs}/${height}.m3u8?p=A\n`;
  const text = `#EXTM3U\n${rung(720, "avc1", 9)}${rung(480, "avc1", 5)}${rung(480, "av01", 4)}${rung(480, "vvc1", 1)}${rung(360, "avc1", 2)}`;
  const isPlayable = (codecs) => codecs !== "vvc1";
  for (const [height, expected] of [
    [480, "av01/480"],
    [720, "avc1/720"],
    [1080, "avc1/720"],
    [600, "av01/480"],
    [240, "avc1/360"],
  ]) {
    const found = rungIn(text, BASE, height, isPlayable);
    assert.equal(found?.playlist, `/courses/intro/2/${expected}.m3u8`, height);
  }
  assert.equal(rungIn(text, BASE, 480, () => false), undefined);
  assert.equal(rungIn("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1", BASE, 480, isPlayable), undefined);
});

test("a Media Playlist loses its passes, and must be complete", () => {
  const media = `#EXTM3U
#EXT-X-MAP:URI="480p/init.mp4?p=A",BYTERANGE="700@0"
#EXTINF:4,
480p/00000.m4s?p=B
#EXTINF:4,
480p/00001.m4s?p=C
`;
  const base = "https://edge.example/courses/intro/v/1/480p.m3u8?p=H";
  assert.equal(bare(media, base), "live");
  const found = bare(`${media}#EXT-X-ENDLIST\n`, base);
  assert.equal(
    found.text,
    `#EXTM3U
#EXT-X-MAP:URI="/courses/intro/v/1/480p/init.mp4",BYTERANGE="700@0"
#EXTINF:4,
/courses/intro/v/1/480p/00000.m4s
#EXTINF:4,
/courses/intro/v/1/480p/00001.m4s
#EXT-X-ENDLIST
`,
  );
  const names = ["init.mp4?p=A", "00000.m4s?p=B", "00001.m4s?p=C"];
  assert.deepEqual(found.urls, names.map((name) => `https://edge.example/courses/intro/v/1/480p/${name}`));
  for (const uri of ["https://other.example/1.m4s", "data:,x", "//other.example/x", "http://["])
    assert.equal(bare(`${media}${uri}\n#EXT-X-ENDLIST\n`, base), "elsewhere", uri);
});

test("sizes and times read as people write them", () => {
  assert.equal(estimatedBytes(800_000, 100, 1), 10_000_000);
  assert.equal(estimatedBytes(800_000, 100, 0), 10_000_000);
  assert.equal(estimatedBytes(800_000, 100, 3), 13_200_000);
  for (const [bytes, expected] of [
    [0, "0 kB"],
    [1_500, "1.5 kB"],
    [95_400_000, "95 MB"],
    [1_230_000_000, "1.2 GB"],
    [5e15, "5,000,000 GB"],
  ])
    assert.equal(formatBytes(bytes, "en"), expected);
  for (const [seconds, expected] of [
    [20, "20 seconds"],
    [60, "1 minute"],
    [90, "90 seconds"],
    [7_200, "2 hours"],
    [86_400, "1 day"],
    [129_600, "36 hours"],
    [259_200, "3 days"],
  ])
    assert.equal(formatSpan(seconds, "en"), expected);
  assert.equal(formatSpan(259_200, "de"), "3 Tage");
});
