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


/** Surroundings that answer each request with the next of `answers`, and a log of what happened. */
function around(answers = [], { ask } = {}) {
  const log = [];
  return {
    log,
    clock: END - 100_000,
    now() {
      return this.clock;
    },
    fetch: async (url) => {
      log.push(`GET ${url}`);
      const answer = answers.shift();
      if (!answer) throw new TypeError("no network");
      return answer();
    },
    pause: async (milliseconds) => {
      log.push(`pause ${milliseconds}`);
      // A renewal that is never to succeed does not keep the test alive.
      if (answers.length === 0) await new Promise(() => {});
    },
    replaced: () => log.push("replaced"),
    waiting: () => log.push("waiting"),
    ...(ask && { ask: async () => (log.push("ask"), ask()) }),
  };
}

const LINK = "https://h/a/master.m3u8?token=t";
const open = (playlist) => () => new Response(playlist, { headers: { date: new Date(END - 100_000).toUTCString() } });
const refuse = (status, code) => () => Response.json({ code, title: code }, { status });
/** A player that has opened the lecture and a Media Playlist, a hundred seconds before the passes end. */
function opened(surroundings) {
  const renewal = new Renewal(new URL(LINK), surroundings);
  renewal.loaded(LINK, MASTER, headers({ date: new Date(END - 100_000).toUTCString() }));
  renewal.loaded("https://h/a/v.m3u8?p=old", "#EXTM3U\nseg0.m4s?p=old\n", headers({}));
  return renewal;
}

test("passes are renewed at six tenths of their life, by the edge's clock", async () => {
  for (const edgeAhead of [0, 3_600_000]) {
    const surroundings = around([open(MASTER)]);
    const renewal = new Renewal(new URL(LINK), surroundings);
    surroundings.clock -= edgeAhead;
    const date = new Date(END - 100_000).toUTCString();
    renewal.loaded(LINK, MASTER, headers({ date, "lectern-session": "s" }));
    assert.equal(renewal.opening(), `${LINK}&session=s`);
    surroundings.clock += 59_000;
    assert.equal(renewal.fresh(), undefined);
    assert.deepEqual(surroundings.log, []);
    // In time, nothing waits for the renewal. Then everything does.
    surroundings.clock += 2_000;
    assert.equal(renewal.fresh(), undefined);
    assert.deepEqual(surroundings.log, [`GET ${LINK}&session=s`]);
    surroundings.clock += 40_000;
    assert.ok(renewal.fresh() instanceof Promise);
  }
});

test("a renewal gives a new pass to all that the player has loaded", async () => {
  const surroundings = around([open(MASTER.replace("?p=", "?p=n")), open("#EXTM3U\nseg0.m4s?p=new\n")]);
  const renewal = opened(surroundings);
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.equal(renewal.newest("https://h/a/seg0.m4s?p=old"), "https://h/a/seg0.m4s?p=new");
  assert.equal(renewal.newest("https://h/a/seg1.m4s?p=old"), "https://h/a/seg1.m4s?p=old");
});

test("without a network, nothing loads with a pass that has ended", async () => {
  const surroundings = around([undefined, undefined, refuse(503, "busy"), refuse(403, "copy_ended"), refuse(429, "rate_limited"), open(MASTER), open("#EXTM3U\n")]);
  const renewal = opened(surroundings);
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.equal(surroundings.log.filter((entry) => entry === "pause 5000").length, 5);
  assert.equal(renewal.refusal, undefined);
});

test("a page that a network shows in place of the edge's answer is no answer", async () => {
  const portal = (status) => () => new Response("<html>\nLog in\n</html>", { status });
  const surroundings = around([portal(200), portal(403), portal(404), portal(511), open(MASTER), open("#EXTM3U\n")]);
  const renewal = opened(surroundings);
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.equal(renewal.refusal, undefined);
  assert.equal(surroundings.log.filter((entry) => entry === "waiting").length, 4);
  assert.ok(!surroundings.log.includes("replaced"));
});

test("a refusal ends the renewals, and is kept for the viewer", async () => {
  const surroundings = around([refuse(403, "revoked")]);
  const renewal = opened(surroundings);
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.equal(renewal.refusal.code, "revoked");
  assert.equal(renewal.fresh(), undefined);
});

test("the course gives a new link for the same lecture only", async () => {
  for (const [link, expected] of [
    ["https://h/a/master.m3u8?token=new", undefined],
    ["https://h/b/master.m3u8?token=new", "expired"],
    ["https://evil.example/a/master.m3u8?token=new", "expired"],
    [undefined, "expired"],
  ]) {
    const answers = [refuse(403, "expired"), open(MASTER), open("#EXTM3U\n")];
    const surroundings = around(answers, { ask: () => link && new URL(link) });
    const renewal = opened(surroundings);
    surroundings.clock = END + 1_000;
    await renewal.fresh();
    assert.equal(renewal.refusal?.code, expected, link);
    assert.equal(renewal.link.href, expected ? LINK : link, link);
  }
});

test("a strict link goes on by its steering manifest when it has ended", async () => {
  const payload = Buffer.from(JSON.stringify({ exp: END / 1000 - 50 })).toString("base64url");
  const link = `https://h/a/master.m3u8?token=e30.${payload}.x`;
  const steering = '#EXT-X-CONTENT-STEERING:SERVER-URI="/_lectern/steering/a/master.m3u8?token=s",PATHWAY-ID="."\n';
  const clone = { "URI-REPLACEMENT": { "PER-VARIANT-URIS": { v: "https://h/a/v.m3u8?p=new" }, "PER-RENDITION-URIS": {} } };
  const answers = [() => Response.json({ "PATHWAY-CLONES": [clone] }), open("#EXTM3U\nseg0.m4s?p=new\n"), refuse(410, "steering_ended")];
  const surroundings = around(answers);
  const renewal = new Renewal(new URL(link), surroundings);
  renewal.loaded(link, MASTER.replace("\n", `\n${steering}`), headers({}));
  renewal.loaded("https://h/a/v.m3u8?p=old", "#EXTM3U\nseg0.m4s?p=old\n", headers({}));
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.deepEqual(surroundings.log, ["GET https://h/_lectern/steering/a/master.m3u8?token=s", "GET https://h/a/v.m3u8?p=new"]);
  assert.equal(renewal.newest("https://h/a/seg0.m4s?p=old"), "https://h/a/seg0.m4s?p=new");
  assert.equal(renewal.refusal, undefined);
});

test("while passes last, the course app may fail to give a link", async () => {
  const links = [undefined, new URL(`${LINK}new`)];
  const answers = [refuse(403, "expired"), refuse(403, "expired"), open(MASTER), open("#EXTM3U\n")];
  const surroundings = around(answers, { ask: () => links.shift() });
  const renewal = opened(surroundings);
  const settled = () => new Promise((resolve) => setTimeout(resolve));
  surroundings.clock = END - 30_000;
  assert.equal(renewal.fresh(), undefined);
  await settled();
  assert.equal(renewal.refusal, undefined);
  surroundings.clock = END - 20_000;
  assert.equal(renewal.fresh(), undefined);
  await settled();
  assert.equal(renewal.link.href, `${LINK}new`);
});

/** A link that has ended by its claims. */
function endedLink() {
  const payload = Buffer.from(JSON.stringify({ exp: END / 1000 - 50 })).toString("base64url");
  return `https://h/a/master.m3u8?token=e30.${payload}.x`;
}

test("the course app is asked once when link and passes have ended", async () => {
  const surroundings = around([refuse(403, "expired")], { ask: () => undefined });
  const link = endedLink();
  const renewal = new Renewal(new URL(link), surroundings);
  renewal.loaded(link, MASTER, headers({}));
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.equal(renewal.refusal.code, "expired");
  assert.deepEqual(surroundings.log, ["ask", `GET ${link}`]);
});

test("an opened lecture is renewed again, whatever was refused before", async () => {
  const surroundings = around([refuse(403, "expired"), open(MASTER), open("#EXTM3U\n")]);
  const renewal = opened(surroundings);
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.equal(renewal.refusal.code, "expired");
  renewal.loaded(LINK, MASTER, headers({}));
  assert.equal(renewal.refusal, undefined);
  await renewal.fresh();
  assert.equal(surroundings.log.length, 3);
});

test("a player that is gone renews nothing", async () => {
  const gone = new AbortController();
  const surroundings = { ...around([undefined, undefined]), signal: gone.signal };
  surroundings.pause = async () => {
    surroundings.log.push("pause");
    if (surroundings.log.includes("gone")) await new Promise(() => {});
    surroundings.log.push("gone");
    gone.abort();
  };
  const renewal = opened(surroundings);
  surroundings.clock = END + 1_000;
  let isLoaded = false;
  void renewal.fresh().then(() => (isLoaded = true));
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(surroundings.log, [`GET ${LINK}`, "waiting", "pause", "gone"]);
  assert.equal(isLoaded, false, "what waits loads nothing");
});

test("a replaced lecture is opened again", async () => {
  const surroundings = around([open(MASTER.replace("v.m3u8", "w.m3u8"))]);
  const renewal = opened(surroundings);
  surroundings.clock = END + 1_000;
  await renewal.fresh();
  assert.equal(surroundings.log.at(-1), "replaced");
});

test("another site's URLs say nothing about passes", () => {
  const surroundings = around();
  const renewal = new Renewal(new URL(LINK), surroundings);
  renewal.loaded(LINK, MASTER.replace("v.m3u8", "https://evil.example/v.m3u8"), headers({}));
  surroundings.clock = END + 1_000_000;
  assert.equal(renewal.fresh(), undefined);
});

test("a URL that was never renewed stays as it is", () => {
  const renewal = new Renewal(new URL(LINK), around());
  assert.equal(renewal.newest("https://h/a/seg0.m4s?p=1"), "https://h/a/seg0.m4s?p=1");
});
