// The recorder: boxes, playlists, times, the order of uploads, sizes and links.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  areJoinable,
  fillSegment,
  numberFragments,
  readSegment,
  readTracks,
} from "./src/record/mp4.ts";
import { askAgainMs, readStatus } from "./src/record/packaging-status.ts";
import { STUCK_MS, Standstill } from "./src/record/standstill.ts";
import {
  bitRates,
  iFramePlaylist,
  listedSeconds,
  mayEnd,
  mediaPlaylist,
  multivariantPlaylist,
} from "./src/record/playlist.ts";
import {
  ceilingOf,
  insideVideo,
  isOverloaded,
  lowerHeight,
  middleSquare,
  shapeOf,
} from "./src/record/shape.ts";
import { entityTagOf } from "./src/record/entity-tag.ts";
import { Timeline } from "./src/record/timeline.ts";
import {
  HEARTBEAT_MS,
  judge,
  masterConditions,
  nextStep,
  retryMs,
} from "./src/record/upload-plan.ts";
import { readUploadLink, watchPage } from "./src/record/upload-link.ts";

const u16 = (value) => [value >> 8, value & 255];
const u32 = (value) => [...u16(value >>> 16), ...u16(value & 65535)];
const ascii = (text) => [...text].map((char) => char.charCodeAt(0));
const zeros = (count) => Array(count).fill(0);
const box = (type, ...body) => {
  const bytes = body.flat();
  return [...u32(bytes.length + 8), ...ascii(type), ...bytes];
};
const buffer = (...boxes) => Uint8Array.from(boxes.flat()).buffer;

function track(id, handler, timescale, entry, created = 0) {
  return box(
    "trak",
    box("tkhd", u32(0), u32(created), u32(0), u32(id), zeros(60)),
    box(
      "mdia",
      box("mdhd", u32(0), u32(created), u32(0), u32(timescale), u32(0), u32(0)),
      box("hdlr", u32(0), u32(0), ascii(handler), zeros(13)),
      box("minf", box("stbl", box("stsd", u32(0), u32(1), entry))),
    ),
  );
}
const avc = (sps) =>
  box("avc1", zeros(24), u16(1280), u16(720), zeros(50), box("avcC", [1, 0x64, 0x0c, 0x1f, sps]));
const decoder = [4, 20, ...zeros(13), 5, 2, 0x11, 0x90];
const esds = box("esds", u32(0), [3, 0x80, 0x80, 0x22, 0, 0, 0, ...decoder]);
const mp4a = box("mp4a", zeros(28), esds);
const init = (created = 0, sps = 7) =>
  buffer(
    box("ftyp", ascii("iso6")),
    box(
      "moov",
      track(1, "vide", 57600, avc(sps), created),
      track(2, "soun", 48000, mp4a, created),
    ),
  );
const fragment = (id, start, durations) =>
  box(
    "traf",
    box("tfhd", u32(0x20000), u32(id)),
    box("tfdt", u32(0x01000000), u32(0), u32(start)),
    box(
      "trun",
      u32(0x301),
      u32(durations.length),
      u32(100),
      durations.flatMap((ticks) => [...u32(ticks), ...u32(9)]),
    ),
  );

test("tracks have codec strings, sizes and timescales of the initialization section", () => {
  const [video, audio] = readTracks(init());
  assert.deepEqual(
    [video.id, video.kind, video.timescale, video.codec, video.width, video.height],
    [1, "video", 57600, "avc1.640c1f", 1280, 720],
  );
  assert.deepEqual(
    [audio.id, audio.kind, audio.timescale, audio.codec],
    [2, "audio", 48000, "mp4a.40.2"],
  );
  assert.deepEqual(readTracks(buffer(box("ftyp", ascii("iso6")))), []);
  // A box that is longer than the file, and one without a length.
  assert.deepEqual(readTracks(buffer([...u32(900), ...ascii("moov")])), []);
  assert.deepEqual(readTracks(buffer([...u32(4), ...ascii("moov")])), []);
});

test("recordings are joined if only times differ", () => {
  assert.equal(areJoinable(init(1), init(2)), true);
  assert.equal(areJoinable(init(1, 7), init(1, 8)), false);
  assert.equal(areJoinable(buffer(), buffer()), false);
});

test("a segment has the start and the length of its video", () => {
  const tracks = readTracks(init());
  const facts = (...boxes) => {
    const { hasVideo, startSeconds, seconds, frames } = readSegment(buffer(...boxes), tracks);
    return [hasVideo, startSeconds, seconds, frames];
  };
  const both = box("moof", fragment(1, 57600, [28800, 28800]), fragment(2, 0, [1024]));
  assert.deepEqual(facts(both), [true, 1, 1, 2]);
  assert.deepEqual(facts(box("moof", fragment(2, 48000, [24000]))), [false, 1, 0.5, 0]);
  const several = [
    box("moof", fragment(1, 0, [5760])),
    box("mdat", [1]),
    box("moof", fragment(1, 5760, [5760])),
  ];
  assert.deepEqual(facts(...several), [true, 0, 0.2, 2]);
  assert.deepEqual(facts(), [false, 0, 0, 0]);
});

test("a keyframe reaches from its fragment to the end of its first frame", () => {
  const tracks = readTracks(init());
  const start = box("styp", ascii("msdh"));
  const segment = buffer(start, box("moof", fragment(1, 0, [5760])));
  assert.deepEqual(readSegment(segment, tracks).keyframe, { offset: 12, bytes: 109 });
  const sound = buffer(box("moof", fragment(2, 0, [1024])));
  assert.equal(readSegment(sound, tracks).keyframe, undefined);
});

test("a segment lasts until the next one, also behind a dropped frame", () => {
  const tracks = readTracks(init());
  const lasts = (durations, seconds) => {
    const segment = buffer(box("moof", fragment(1, 0, durations), fragment(2, 0, [48000])));
    fillSegment(segment, tracks, seconds);
    return readSegment(segment, tracks).seconds;
  };
  assert.equal(lasts([28800, 14400], 1), 1);
  assert.equal(lasts([28800, 28800], 0.5), 1);
  const sound = buffer(box("moof", fragment(2, 0, [48000])));
  fillSegment(sound, tracks, 2);
  assert.deepEqual(sound, buffer(box("moof", fragment(2, 0, [48000]))));
});

test("fragments get a number", () => {
  const numbered = (number) => box("moof", box("mfhd", u32(0), u32(number)));
  const segment = buffer(numbered(1), box("mdat"), numbered(2));
  numberFragments(segment, 70_000);
  assert.deepEqual(segment, buffer(numbered(70_000), box("mdat"), numbered(70_000)));
});

test("a recording ends with a segment that players can end with", () => {
  for (const [hasVideo, seconds, expected] of [
    [true, 0.25, true],
    [true, 0.24, false],
    [false, 2, false],
  ]) {
    assert.equal(mayEnd({ hasVideo, seconds }), expected);
  }
});

const segments = [
  { number: 1, seconds: 2, bytes: 250_000, frames: 60, frameSeconds: 2, keyframe: { offset: 80, bytes: 20_000 } },
  { number: 2, seconds: 2, bytes: 500_000, frames: 30, frameSeconds: 2, keyframe: { offset: 80, bytes: 10_000 } },
  { number: 3, seconds: 0.5, bytes: 250_000, frames: 30, frameSeconds: 0.5, keyframe: undefined },
];

test("a Media Playlist grows by segments until its end", () => {
  const growing = mediaPlaylist("2", segments.slice(0, 1), false);
  assert.equal(
    growing,
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:EVENT\n" +
      "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-START:TIME-OFFSET=0,PRECISE=YES\n" +
      '#EXT-X-MAP:URI="init-2.m4s"\n#EXTINF:2.000000,\nsegment-2-1.m4s\n',
  );
  const ended = mediaPlaylist("2", segments, true);
  assert.ok(ended.startsWith(growing.replace("EVENT", "VOD")));
  assert.ok(ended.endsWith("#EXTINF:0.500000,\nsegment-2-3.m4s\n#EXT-X-ENDLIST\n"));
  assert.deepEqual(listedSeconds(ended), [2, 2, 0.5]);
  assert.deepEqual(listedSeconds("#EXTM3U"), []);
});

test("a Multivariant Playlist has the measured rates at the end, and a bound before", () => {
  assert.deepEqual(bitRates(segments), { peak: 2_400_000, average: 1_777_778 });
  assert.deepEqual(bitRates([]), { peak: 0, average: 0 });
  const tracks = readTracks(init());
  const size = "RESOLUTION=1280x720";
  const rest =
    `CODECS="avc1.640c1f,mp4a.40.2",${size},FRAME-RATE=30.000,CLOSED-CAPTIONS=NONE\n` +
    "playlist-1.m3u8\n";
  const iFrames =
    `#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=80000,CODECS="avc1.640c1f",${size},` +
    'URI="iframes-1.m3u8"\n';
  const head = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:";
  assert.equal(
    multivariantPlaylist("1", tracks, segments, { frameRate: 60 }),
    `${head}BANDWIDTH=2400000,AVERAGE-BANDWIDTH=1777778,${rest}${iFrames}`,
  );
  assert.equal(
    multivariantPlaylist("1", tracks, segments.slice(0, 1), { frameRate: 30, ceiling: 3_000_000 }),
    `${head}BANDWIDTH=3000000,${rest}`,
  );
});

test("an I-frame playlist names the keyframe of each segment", () => {
  assert.equal(
    iFramePlaylist("1", segments),
    "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n" +
      '#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI="init-1.m4s"\n' +
      "#EXTINF:2.000000,\n#EXT-X-BYTERANGE:20000@80\nsegment-1-1.m4s\n" +
      "#EXTINF:2.000000,\n#EXT-X-BYTERANGE:10000@80\nsegment-1-2.m4s\n#EXT-X-ENDLIST\n",
  );
});

/** Places samples of 0.1 s, and returns the times of those that stay, rounded. */
function placed(timeline, kind, from, to, late = 0) {
  const times = [];
  for (let at = Math.round(from * 10); at < Math.round(to * 10); at++) {
    const found = timeline.place(kind, at / 10, 100 + at / 10 + late);
    if (found) times.push(Math.round(found.seconds * 100) / 100);
  }
  return times;
}

test("sound begins with the first frame, and both begin at the start", () => {
  const timeline = new Timeline(5, 10);
  assert.deepEqual(placed(timeline, "audio", 0, 0.2), []);
  assert.deepEqual(placed(timeline, "video", 0.2, 0.4), [5, 5.1]);
  assert.deepEqual(placed(timeline, "audio", 0.2, 0.4), [5, 5.1]);
  assert.equal(Math.round(timeline.seconds * 10), 51);
});

test("a pause is left out of audio and video alike", () => {
  const timeline = new Timeline(0, 10);
  placed(timeline, "video", 0, 1);
  placed(timeline, "audio", 0, 1);
  timeline.pause(101);
  timeline.pause(101.5);
  assert.equal(timeline.isPaused, true);
  assert.deepEqual(placed(timeline, "video", 1, 9), []);
  assert.deepEqual(placed(timeline, "audio", 1, 9), []);
  timeline.resume(109);
  assert.equal(timeline.isPaused, false);
  assert.deepEqual(placed(timeline, "video", 9, 9.3), [1, 1.1, 1.2]);
  assert.deepEqual(placed(timeline, "audio", 9, 9.3), [1, 1.1, 1.2]);
  assert.deepEqual(timeline.takeCounts(), { offered: 12, dropped: 0 });
});

test("sleep is cut out, also if the clock of the sound slept", () => {
  for (const soundSleeps of [false, true]) {
    const timeline = new Timeline(0, 10);
    placed(timeline, "video", 0, 1);
    placed(timeline, "audio", 0, 1);
    // The first frame has the place of the last one before.
    timeline.place("video", 61, 161);
    assert.equal(Math.round(timeline.place("video", 61.1, 161.1).gapSeconds), 60);
    const video = [1, ...placed(timeline, "video", 61.2, 61.4)];
    const audio = soundSleeps
      ? placed(timeline, "audio", 1.1, 1.4, 60)
      : placed(timeline, "audio", 61.1, 61.4);
    assert.deepEqual(video, [1, 1.1, 1.2]);
    assert.deepEqual(audio, [1, 1.1, 1.2]);
  }
});

test("a silence of the video alone stays, because there is sound", () => {
  const timeline = new Timeline(0, 10);
  placed(timeline, "video", 0, 1);
  assert.deepEqual(placed(timeline, "audio", 0, 4).length, 40);
  assert.deepEqual(placed(timeline, "video", 4, 4.1), [4]);
});

test("dropped frames are counted, and fewer are kept on demand", () => {
  const timeline = new Timeline(0, 10);
  placed(timeline, "video", 0, 1);
  placed(timeline, "video", 1.5, 2);
  assert.deepEqual(timeline.takeCounts(), { offered: 19, dropped: 5 });
  timeline.keepOneOf(5);
  assert.equal(placed(timeline, "video", 2, 4).length, 4);
  assert.deepEqual(timeline.takeCounts(), { offered: 20, dropped: 0 });
});

const LATE = [false, false, false, false];
const stored = (...flags) => flags.map((isStored, at) => ({ number: at + 1, isStored }));
const growing = {
  hasInit: true,
  isInitStored: true,
  segments: stored(true, true),
  listed: 2,
  listedAt: 10_000,
  isMasterStored: true,
  isStopped: false,
  isEndListed: false,
  isIFramesStored: false,
  isMasterFinal: false,
  isAnnounced: false,
};

test("objects are stored in the order in which players need them", () => {
  const segment = (number) => ({ kind: "segment", number });
  const playlist = (count, isEnded = false) => ({ kind: "playlist", count, isEnded });
  const master = { kind: "master", isFinal: false };
  const final = { kind: "master", isFinal: true };
  const first = { listed: 0, isMasterStored: false };
  const stopped = { isStopped: true };
  const iFrames = { kind: "i_frames" };
  const ended = { isStopped: true, isEndListed: true };
  for (const [change, now, expected] of [
    [{ hasInit: false, segments: [], listed: 0 }, 10_000, []],
    // The first segment does not wait for the initialization section.
    [{ ...first, isInitStored: false, segments: [] }, 10_000, [{ kind: "init" }]],
    [
      { ...first, isInitStored: false, segments: stored(false) },
      10_000,
      [{ kind: "init" }, segment(1)],
    ],
    [{ ...first, isInitStored: false, segments: stored(true) }, 10_000, [{ kind: "init" }]],
    [{ ...first, segments: stored(false) }, 10_000, [segment(1)]],
    // Both playlists follow at once, and wait for no second segment.
    [{ ...first, segments: stored(true) }, 10_000, [playlist(1), master]],
    [{ ...first, segments: stored(true, false) }, 10_000, [playlist(1), master, segment(2)]],
    [{ segments: stored(true, true, false) }, 10_000, [segment(3)]],
    [{ segments: stored(true, true, true) }, 10_100, [playlist(3)]],
    // After a cut line, playlists name what is stored while the rest follows.
    [{ segments: stored(true, true, true, false) }, 11_000, [segment(4)]],
    [{ segments: stored(true, true, true, false) }, 12_000, [playlist(3), segment(4)]],
    [{}, 10_000 + HEARTBEAT_MS - 1, []],
    [{}, 10_000 + HEARTBEAT_MS, [playlist(2)]],
    // A segment that takes long delays no heartbeat.
    [
      { segments: stored(true, true, false) },
      10_000 + HEARTBEAT_MS,
      [playlist(2), segment(3)],
    ],
    [
      { segments: stored(true, true, ...LATE) },
      10_000 + HEARTBEAT_MS,
      [playlist(2), segment(3), segment(4), segment(5)],
    ],
    // No playlist names a segment behind one that is missing.
    [{ segments: stored(true, false, true), listed: 1 }, 11_000, [segment(2)]],
    [
      { segments: stored(true, false, true, false), listed: 1 },
      11_000,
      [segment(2), segment(4)],
    ],
    // Behind a long line, playlists are rare.
    [
      { segments: stored(true, true, true, ...LATE) },
      12_000,
      [segment(4), segment(5), segment(6)],
    ],
    [
      { segments: stored(true, true, true, ...LATE) },
      20_000,
      [playlist(3), segment(4), segment(5), segment(6)],
    ],
    [{ ...stopped, segments: stored(true, true, false) }, 10_100, [segment(3)]],
    [stopped, 10_100, [playlist(2, true), iFrames]],
    [{ ...stopped, isIFramesStored: true }, 10_100, [playlist(2, true)]],
    [ended, 10_100, [iFrames]],
    [{ ...ended, isIFramesStored: true, isMasterStored: false }, 10_100, [master]],
    [{ ...ended, isIFramesStored: true }, 10_100, [final]],
    [{ ...ended, isIFramesStored: true, isMasterFinal: true }, 10_100, [{ kind: "announce" }]],
    [
      { ...ended, isIFramesStored: true, isMasterFinal: true, isAnnounced: true },
      99_000,
      [],
    ],
    [{ ...stopped, segments: [], listed: 0 }, 99_000, []],
  ]) {
    assert.deepEqual(allSteps({ ...growing, ...change }, now), expected, JSON.stringify(change));
  }
});

/** Steps that begin one after the other while none of them ends. */
function allSteps(state, now) {
  const [busy, steps] = [new Set(), []];
  for (let step; (step = nextStep(state, busy, now)); steps.push(step)) {
    busy.add(step.kind === "segment" ? `segment ${step.number}` : step.kind);
  }
  return steps;
}

test("a Multivariant Playlist replaces none but its own", () => {
  const absent = { "If-None-Match": "*" };
  const own = { "If-Match": '"a", "b"' };
  for (const [isStored, tags, expected] of [
    [false, [], [absent]],
    [false, ['"a"', '"b"'], [absent, own]],
    [true, ['"a"', '"b"'], [own, absent]],
  ]) {
    assert.deepEqual(masterConditions(isStored, tags), expected);
  }
});

test("an entity-tag is the MD5 of a text", () => {
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 4_000]) {
    const text = "é#EXTM3U\n".repeat(500).slice(0, length);
    const expected = createHash("md5").update(text).digest("hex");
    assert.equal(entityTagOf(text), `"${expected}"`, `${length}`);
  }
});

test("an answer says whether to go on, to wait or to ask", () => {
  for (const [statuses, expected] of [
    [[200, 201, 204], "stored"],
    [[0, 408, 429, 500, 503], "retry"],
    [[401, 403], "new_link"],
    [[412], "exists"],
    [[400, 404, 405, 411, 413, 415], "refused"],
  ]) {
    for (const status of statuses) assert.equal(judge(status), expected, status);
  }
  assert.deepEqual([retryMs(0, 0), retryMs(0, 1), retryMs(40, 1)], [250, 500, 15_000]);
});

test("a recording has the ratio of its source, and even sides", () => {
  for (const [width, height, limit, expected] of [
    [1920, 1080, 1080, [1920, 1080]],
    [1920, 1080, 720, [1280, 720]],
    [640, 480, 1080, [640, 480]],
    [3840, 1600, 1080, [1920, 800]],
    [1170, 2532, 720, [592, 1280]],
    [801, 601, 480, [640, 480]],
    [0, 0, 480, [480, 480]],
  ]) {
    const shape = shapeOf(width, height, limit);
    assert.deepEqual([shape.width, shape.height], expected, `${width}x${height}`);
  }
  assert.equal(shapeOf(1920, 1080, 1080).bitRate, 3_732_480);
  assert.equal(ceilingOf({ bitRate: 1_000_000 }, true), 2_256_000);
  assert.deepEqual([lowerHeight(1080), lowerHeight(700), lowerHeight(480)], [720, 480, undefined]);
});

test("an encoder is overloaded if it drops more than a tenth of enough frames", () => {
  for (const [offered, dropped, expected] of [
    [90, 9, false],
    [90, 10, true],
    [19, 19, false],
  ]) {
    assert.equal(isOverloaded({ offered, dropped }), expected);
  }
});

test("the bubble stays in the picture, and shows the middle of the camera", () => {
  const round = ({ x, y }) => [x.toFixed(3), y.toFixed(3)];
  assert.deepEqual(round(insideVideo({ x: 2, y: -1 }, 1600, 900)), ["0.921", "0.140"]);
  assert.deepEqual(round(insideVideo({ x: 0.5, y: 0.5 }, 1600, 900)), ["0.500", "0.500"]);
  assert.deepEqual(middleSquare(1280, 720), { x: 280, y: 0, side: 720 });
});

const token = (claims) => `a.${btoa(JSON.stringify(claims))}.c`;

test("an upload link names a folder, and beside it the link to watch", () => {
  const origin = "https://edge.example";
  const isAllowed = (url) => url.origin === origin;
  const read = (fragment) => readUploadLink(fragment, origin, isAllowed, 1_000);
  const upload = token({ use: "upload", exp: 2_000 });
  const watch = encodeURIComponent("/courses/live/7/master.m3u8?token=w");
  assert.deepEqual(read(`/courses/live/7%20a/?token=${upload}&watch=${watch}`), {
    folder: `${origin}/courses/live/7%20a/`,
    path: "/courses/live/7 a/",
    token: upload,
    watch: `${origin}/_lectern/play#/courses/live/7/master.m3u8?token=w`,
    isExpired: false,
  });
  for (const [fragment, expected] of [
    ["", "no_link"],
    ["/courses/live/7/", "no_link"],
    [`https://other.example/a/?token=${upload}`, "other_site"],
    [`/courses/live/7/master.m3u8?token=${upload}`, "no_folder"],
    [`/courses/live/7/?token=${token({ use: "play" })}`, "no_upload"],
  ]) {
    assert.equal(read(fragment), expected, fragment);
  }
  assert.equal(read(`/a/?token=${token({ use: "upload", exp: 999 })}`).isExpired, true);
});

test("the link to watch is a page", () => {
  for (const [link, expected] of [
    [null, undefined],
    ["javascript:alert(1)", undefined],
    ["https://[", undefined],
    ["https://school.example/lectures/7", "https://school.example/lectures/7"],
    ["https://school.example/a.m3u8?token=t", "https://school.example/a.m3u8?token=t"],
  ]) {
    assert.equal(watchPage(link, "https://edge.example"), expected);
  }
});

test("a status is read with its bounds, and nothing else is one", () => {
  const playing = '{"state":"playing","percent":140,"rungs":["480p",7],"error":null}';
  assert.deepEqual(readStatus(playing), {
    state: "playing",
    percent: 100,
    rungs: ["480p"],
    text: "",
    isFinal: false,
  });
  for (const [code, expected] of [["too_long", true], ["given_up", true], ["damaged", false]]) {
    const failed = JSON.stringify({ state: "failed", error: { code, text: "x" } });
    assert.equal(readStatus(failed).isFinal, expected, code);
  }
  assert.equal(readStatus('{"state":"failed","error":{"text":"no video"}}').text, "no video");
  for (const text of ["", "null", "[]", '{"state":"else"}', "<html>"]) {
    assert.equal(readStatus(text), undefined, text);
  }
  assert.deepEqual([askAgainMs(0), askAgainMs(1), askAgainMs(99)], [2_000, 3_000, 30_000]);
});

test("an encoder is stuck after ten seconds without a segment, whatever the clock does", () => {
  const ticks = (standstill, from, count, everyMs = 250) =>
    Array.from({ length: count }, (_, at) => standstill.tick(from + at * everyMs)).indexOf(true);

  assert.equal(ticks(new Standstill(), 5_000, 60), STUCK_MS / 250);
  const moves = new Standstill();
  assert.equal(ticks(moves, 0, 39), -1);
  moves.moved();
  assert.equal(ticks(moves, 9_750, 39), -1, "a segment came");
  const slept = new Standstill();
  slept.tick(0);
  assert.equal(slept.tick(3_600_000), false, "the computer slept for an hour");
  const burst = new Standstill();
  assert.equal(ticks(burst, 0, 200, 1), -1, "the page stood still, and its ticks waited");
  const again = new Standstill();
  assert.equal(ticks(again, 0, 41), 40);
  assert.equal(ticks(again, 10_250, 39), -1, "it counts anew");
});
