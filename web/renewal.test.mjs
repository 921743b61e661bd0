// What the player page reads of passes and playlists.
import assert from "node:assert/strict";
import { test } from "node:test";
import { listed, passEnd, Renewal } from "./src/renewal.ts";

test("a pass tells its last second", () => {
  for (const [url, expected] of [
    ["https://h/a/seg.m4s?p=EIJrSdIA9uNOqBbM_HkLwLJtfH998w", 1_800_000_000],
    ["https://h/a/v.m3u8?x=1&p=HYJrSdIAAZHeH71SvBp6_sfuL5jN2wM", 1_800_000_000],
    ["https://h/a/seg.m4s", undefined],
    ["https://h/a/seg.m4s?p=short", undefined],
    ["https://h/a/seg.m4s?p=%3Cscript%3E000000000000000000000000", undefined],
  ]) {
    assert.equal(passEnd(url), expected, url);
  }
});

test("a playlist lists the URIs of lines and of attributes", () => {
  const playlist = '#EXTM3U\r\n#EXT-X-MAP:URI="init.mp4?p=1"\r\n#EXTINF:2,\r\nseg0.m4s?p=2\r\n\r\n#comment\n../b/seg1.m4s?p=3\n';
  assert.deepEqual(listed(playlist, "https://h/a/v.m3u8?p=0"), ["https://h/a/init.mp4?p=1", "https://h/a/seg0.m4s?p=2", "https://h/b/seg1.m4s?p=3"]);
});

/** A Multivariant Playlist whose passes end at 1,800,000,000. */
const MASTER = "#EXTM3U\nv.m3u8?p=HYJrSdIAAZHeH71SvBp6_sfuL5jN2wM\n";
const END = 1_800_000_000_000;
const headers = (values) => ({ get: (name) => values[name] ?? null });

test("passes are renewed at six tenths of their life, by the edge's clock", () => {
  for (const [edgeAhead, expected] of [[0, END], [3_600_000, END - 3_600_000]]) {
    const renewal = new Renewal(new URL("https://h/a/master.m3u8?token=t"));
    const began = END - 100_000 - edgeAhead;
    const date = new Date(began + edgeAhead).toUTCString();
    renewal.loaded("https://h/a/master.m3u8?token=t", MASTER, headers({ date, "lectern-session": "s" }), began);
    assert.equal(renewal.opening(), "https://h/a/master.m3u8?token=t&session=s");
    assert.equal(renewal.fresh(began + 59_000), undefined);
    // Over: the loader waits for the renewal, which fails here without a server.
    assert.ok(renewal.fresh(expected + 1_000) instanceof Promise);
  }
});

test("another site's URLs say nothing about passes", () => {
  const renewal = new Renewal(new URL("https://h/a/master.m3u8?token=t"));
  renewal.loaded("https://h/a/master.m3u8?token=t", MASTER.replace("v.m3u8", "https://evil.example/v.m3u8"), headers({}), END);
  assert.equal(renewal.fresh(END + 1_000_000), undefined);
});

test("a URL that was never renewed stays as it is", () => {
  const renewal = new Renewal(new URL("https://h/a/master.m3u8?token=t"));
  assert.equal(renewal.newest("https://h/a/seg0.m4s?p=1"), "https://h/a/seg0.m4s?p=1");
});
