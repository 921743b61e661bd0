// The cost of a pass, beside a simple JavaScript Worker, under the same `wrangler dev`; and the
// cost of a signed playlist through the real Worker, beside an unsigned file.
//
// workerd's clock stands still during computation, so a request repeats its work many times, and an
// outer clock times it. The floor is subtracted: the same request with no round. With /proc, the
// time is workerd's CPU, which other processes disturb little; elsewhere it is wall time.
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";

import { linkToken, print, shown, summary } from "./common.mjs";
import { Server } from "./server.mjs";

const { quick } = parseArgs({ options: { quick: { type: "boolean", default: false } } }).values;
const samples = quick ? 7 : 25;
const fetches = quick ? 60 : 400;

// Rounds are chosen so that each request computes for about 0.1 to 0.2 seconds.
const cases = [
  { name: "rewrite, 675 segments", path: "/rewrite?segments=675", per: 676, rounds: { wasm: 600, js: 20 } },
  { name: "rewrite, 9,000 segments", path: "/rewrite?segments=9000", per: 9001, rounds: { wasm: 40, js: 2 } },
  { name: "verify a link", path: "/link?segments=0", per: 1, rounds: { wasm: 40_000, js: 6_000 } },
  { name: "verify a pass", path: "/pass?segments=0", per: 1, rounds: { wasm: 100_000, js: 8_000 } },
];

async function timed(server, path, encoding = "identity") {
  const [cpu, wall] = [server.cpu(), performance.now()];
  const answer = await fetch(server.origin + path, { headers: { "Accept-Encoding": encoding } });
  const body = await answer.text();
  if (answer.status !== 200) {
    throw new Error(`${path}: ${answer.status} ${body}`);
  }
  // workerd's threads are idle when the answer arrives.
  const micros = cpu === undefined ? (performance.now() - wall) * 1000 : (server.cpu() - cpu) / 1000;
  return { micros, wall: performance.now() - wall, body };
}

/** Microseconds for each round, without the floor. */
async function perRound(server, path, rounds) {
  const floor = await timed(server, `${path}&rounds=0`);
  const full = await timed(server, `${path}&rounds=${rounds}`);
  return (full.micros - floor.micros) / rounds;
}

const scaled = ({ median, low, high }, by) => ({ median: median * by, low: low * by, high: high * by });

async function measureCompute() {
  const servers = { wasm: await Server.ofModule("bench/edge/build/index.js"), js: await Server.ofModule("bench/js/worker.js") };
  const rows = [["median (10 %–90 %)", "wasm", "JavaScript", "ratio"]];
  for (const { name, path, per, rounds } of cases) {
    const found = { wasm: [], js: [] };
    for (let sample = -2; sample < samples; sample++) {
      for (const side of ["wasm", "js"]) {
        const micros = await perRound(servers[side], path, rounds[side]);
        // The first requests warm up: workerd compiles wasm twice, first quickly and then well.
        if (sample >= 0) {
          found[side].push(micros);
        }
      }
    }
    const [wasm, js] = [summary(found.wasm), summary(found.js)];
    const ratio = (js.median / wasm.median).toFixed(1);
    if (per > 1) {
      rows.push([`${name}: µs a URL`, shown(scaled(wasm, 1 / per)), shown(scaled(js, 1 / per)), ratio]);
      rows.push([`${name}: ms in all`, shown(scaled(wasm, 1e-3)), shown(scaled(js, 1e-3)), ratio]);
    } else {
      rows.push([`${name}: µs`, shown(wasm), shown(js), ratio]);
    }
  }
  print(rows);
  Object.values(servers).forEach((server) => server.stop());
}

async function measureServing() {
  const secret = randomBytes(32);
  const server = await Server.ofProject([{ kid: "bench", secret: secret.toString("base64url") }]);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const put = async (name, type, body) => {
    const headers = { Authorization: `Bearer ${linkToken(secret, { exp, path: "/bench/", use: "upload" })}`, "Content-Type": type };
    const answer = await fetch(`${server.origin}/bench/${name}`, { method: "PUT", headers, body });
    if (!answer.ok) {
      throw new Error(`PUT ${name}: ${answer.status} ${await answer.text()}`);
    }
  };
  const { body: playlist } = await samplePlaylist();
  await put("v/1/playlist.m3u8", "application/vnd.apple.mpegurl", playlist);
  await put("v/1/plain.bin", "application/octet-stream", playlist);
  await put(
    "master.m3u8",
    "application/vnd.apple.mpegurl",
    '#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID="plain",URI="v/1/plain.bin"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/1/playlist.m3u8\n',
  );
  const token = linkToken(secret, { exp, path: "/bench/master.m3u8" });
  const master = await (await fetch(`${server.origin}/bench/master.m3u8?token=${token}`)).text();
  const urls = { plain: /"(v\/1\/plain\.bin\?[^"]*)"/.exec(master)[1], signed: /^v\/1\/playlist.*$/m.exec(master)[0] };

  const sides = {
    plain: { url: urls.plain, encoding: "identity", passes: 0 },
    signed: { url: urls.signed, encoding: "identity", passes: 676 },
    gzipped: { url: urls.signed, encoding: "gzip", passes: 676 },
  };
  const found = { plain: [], signed: [], gzipped: [] };
  const cpu = { plain: [], signed: [], gzipped: [] };
  for (let at = -20; at < fetches; at++) {
    for (const [side, { url, encoding, passes: expected }] of Object.entries(sides)) {
      const { wall, micros, body } = await timed(server, `/bench/${url}`, encoding);
      const passes = body.match(/\?p=/g)?.length ?? 0;
      if (passes !== expected) {
        throw new Error(`${side}: ${passes} passes`);
      }
      if (at >= 0) {
        found[side].push(wall);
        cpu[side].push(micros / 1000);
      }
    }
  }
  const row = (name, values) => {
    const [plain, signed, gzipped] = [values.plain, values.signed, values.gzipped].map(summary);
    return [name, shown(plain), shown(signed), (signed.median - plain.median).toFixed(2), shown(gzipped)];
  };
  print([
    ["675 segments through the Worker, cached", "as a plain file", "signed", "difference", "signed and gzipped"],
    row("ms until the last byte", found),
    row("ms of the server's CPU", cpu),
  ]);
  server.stop();
}

/** The unsigned playlist of 675 segments, from the benchmark's own Worker: its sample without the passes. */
async function samplePlaylist() {
  const server = await Server.ofModule("bench/edge/build/index.js");
  const { body } = await timed(server, "/sample?segments=675");
  server.stop();
  return { body: body.replaceAll(/\?p=[\w-]+/g, "") };
}

await measureCompute();
await measureServing();
process.exit(0);
