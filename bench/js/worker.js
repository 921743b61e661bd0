// The peer of the pass benchmark: a simple signing Worker. It splits lines, and WebCrypto signs
// once per segment.

const encoder = new TextEncoder();
const directory = "/courses/rails-patterns-101/v/0f3c9a71d2b4/1080p/";
const expires = 1_800_021_600;
const now = 1_800_000_000;
const algorithm = { name: "HMAC", hash: "SHA-256" };
const imported = () => crypto.subtle.importKey("raw", new Uint8Array(32).fill(7), algorithm, false, ["sign", "verify"]);

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const [segments, rounds] = ["segments", "rounds"].map((name) => Number(searchParams.get(name)));
    const key = await imported();
    switch (pathname) {
      case "/rewrite":
        return Response.json(await rewritten(key, segments, rounds));
      case "/sample":
        return new Response(await rewrite(key, mediaPlaylist(segments)));
      case "/link":
        return Response.json(await verifiedLinks(key, rounds));
      case "/pass":
        return Response.json(await verifiedPasses(key, rounds));
      default:
        return new Response("no such route", { status: 404 });
    }
  },
};

async function rewrite(key, playlist) {
  const out = [];
  for (const line of playlist.split("\n")) {
    if (line === "") {
      out.push(line);
    } else if (line.startsWith("#")) {
      const uri = /URI="([^"]*)"/.exec(line)?.[1];
      out.push(uri === undefined ? line : line.replace(uri, await signed(key, uri)));
    } else {
      out.push(await signed(key, line));
    }
  }
  return out.join("\n");
}

async function signed(key, uri) {
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(`${expires}${directory}${uri}`));
  return `${uri}?p=${expires}.${base64url(mac)}`;
}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const fromBase64url = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));

async function rewritten(key, segments, rounds) {
  const playlist = mediaPlaylist(segments);
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    bytes += encoder.encode(await rewrite(key, playlist)).length;
  }
  return bytes;
}

async function verifiedLinks(key, rounds) {
  const part = (value) => base64url(encoder.encode(JSON.stringify(value)));
  const claims = { exp: expires, path: "/courses/rails-patterns-101/master.m3u8", sub: "s42" };
  const unsigned = `${part({ alg: "HS256", typ: "JWT", kid: "2026-11" })}.${part(claims)}`;
  const token = `${unsigned}.${base64url(await crypto.subtle.sign("HMAC", key, encoder.encode(unsigned)))}`;
  let held = 0;
  for (let round = 0; round < rounds; round++) {
    const [header, payload, signature] = token.split(".");
    const { alg } = JSON.parse(new TextDecoder().decode(fromBase64url(header)));
    const data = encoder.encode(`${header}.${payload}`);
    const right = alg === "HS256" && (await crypto.subtle.verify("HMAC", key, fromBase64url(signature), data));
    const { exp } = JSON.parse(new TextDecoder().decode(fromBase64url(payload)));
    held += right && now <= exp ? 1 : 0;
  }
  return held;
}

async function verifiedPasses(key, rounds) {
  const name = "seg00042.m4s";
  const pass = (await signed(key, name)).split("?p=")[1];
  let held = 0;
  for (let round = 0; round < rounds; round++) {
    const [exp, mac] = pass.split(".");
    const data = encoder.encode(`${exp}${directory}${name}`);
    const right = await crypto.subtle.verify("HMAC", key, fromBase64url(mac), data);
    held += right && now <= Number(exp) ? 1 : 0;
  }
  return held;
}

function mediaPlaylist(segments) {
  const head =
    '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n' +
    '#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI="init.mp4"\n';
  const entry = (_, at) => `#EXTINF:4.000000,\nseg${String(at).padStart(5, "0")}.m4s\n`;
  return `${head}${Array.from({ length: segments }, entry).join("")}#EXT-X-ENDLIST\n`;
}
