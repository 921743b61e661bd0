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

test("a URL that was never renewed stays as it is", () => {
  const renewal = new Renewal(new URL("https://h/a/master.m3u8?token=t"));
  assert.equal(renewal.newest("https://h/a/seg0.m4s?p=1"), "https://h/a/seg0.m4s?p=1");
});
