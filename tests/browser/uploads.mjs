// Opens what a creator uploaded in Chromium, and uploads from a page of another origin.
//   node uploads.mjs ORIGIN UPLOAD PLAY ADMIN
// UPLOAD, PLAY and ADMIN are tokens for /u/. Prints which files ran, how many preflight requests each
// way of uploading took, and the status that a page reads, as one JSON object.
import { once } from "node:events";
import { createServer, request as ask } from "node:http";
import { withChromium } from "./chromium.mjs";

const [origin, upload, play, admin] = process.argv.slice(2);
const ran = new Set();
const pages = new Map();
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname.startsWith("/ran/")) ran.add(decodeURIComponent(pathname.slice(5)));
  const [type, body] = pages.get(pathname) ?? ["text/html", "<!doctype html><title>a page</title>"];
  response.writeHead(200, { "content-type": type }).end(body);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
// Another origin than the edge's, which is at 127.0.0.1.
const other = `http://localhost:${server.address().port}`;

// The edge behind a server that counts preflight requests.
let preflights = 0;
const counter = createServer((request, response) => {
  preflights += request.method === "OPTIONS";
  const { method, headers } = request;
  const asked = ask(`${origin}${request.url}`, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  request.pipe(asked);
});
counter.listen(0, "127.0.0.1");
await once(counter, "listening");
const counted = `http://127.0.0.1:${counter.address().port}`;

/** A script that tells the other server that it ran. */
const script = (name) => `new Image().src = "${other}/ran/${encodeURIComponent(name)}"`;
const html = (name) => `<!doctype html><script>${script(name)}</script><img src="${other}/ran/${encodeURIComponent(name)}">`;
const xhtml = (name) => `<html xmlns="http://www.w3.org/1999/xhtml"><script>${script(name)}</script></html>`;
const svg = (name) => `<svg xmlns="http://www.w3.org/2000/svg"><script>${script(name)}</script></svg>`;
const pdf = () => "%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n";
const FILES = [
  ["a.html", "text/html", html],
  ["b", "text/html", html],
  ["c.mp4", "text/html", html],
  ["d.mp4", "video/mp4, text/html", html],
  ["e.jpg", "image/jpeg", html],
  ["f.txt", "text/plain", html],
  ["g.json", "application/json", html],
  ["h.xhtml", "application/xhtml+xml", xhtml],
  ["i.xml", "text/xml", xhtml],
  ["j.svg", "image/svg+xml", svg],
  ["k.jpg", "image/svg+xml", svg],
  ["l.js", "text/javascript", script],
  ["m.txt", "text/plain", script],
  ["n.json", "application/json", script],
  ["o.mp4", "video/mp4", script],
  ["p.vtt", "text/vtt", script],
  ["q.pdf", "application/pdf", pdf],
  ["r.wasm", "application/wasm", script],
  ["s.mht", "multipart/related", html],
  ["t.status.json", "text/html", html],
  ["u.mpd", "application/dash+xml", xhtml],
  ["v", "application/dash+xml", xhtml],
  ["w.mpd", "application/dash+xml", svg],
];

const seen = { types: {}, preflights: {} };
for (const [name, type, make] of FILES) {
  const writer = name.endsWith("status.json") ? admin : upload;
  const headers = { authorization: `Bearer ${writer}`, "content-type": type };
  const put = await fetch(`${origin}/u/${name}`, { method: "PUT", headers, body: make(name) });
  if (put.status !== 201) throw new Error(`${name}: ${put.status} ${await put.text()}`);
}
// A playlist opens each file by a pass, also those that a link does not open.
const lines = FILES.map(([name]) => `#EXTINF:1,\n${name}\n`).join("");
const listed = await fetch(`${origin}/u/all.m3u8`, {
  method: "PUT",
  headers: { authorization: `Bearer ${upload}` },
  body: `#EXTM3U\n#EXT-X-TARGETDURATION:1\n${lines}#EXT-X-ENDLIST\n`,
});
if (listed.status !== 201) throw new Error(`the playlist: ${listed.status}`);
const playlist = await (await fetch(`${origin}/u/all.m3u8?token=${play}`)).text();
const passes = playlist.split("\n").filter((line) => /^[^#]/.test(line));
if (passes.length !== FILES.length) throw new Error(playlist);
const urls = FILES.map(([name], at) =>
  name.endsWith(".mpd") || name === "v" ? `${origin}/u/${passes[at]}` : `${origin}/u/${name}?token=${play}`,
);
for (const [at, [name]] of FILES.entries()) {
  const got = await fetch(urls[at]);
  seen.types[name] = [got.headers.get("content-type"), got.headers.get("x-content-type-options"), got.headers.get("content-security-policy")];
  await got.body.cancel();
}
pages.set("/control", ["text/html", html("control")]);
pages.set("/control.js", ["text/javascript", script("control script")]);

await withChromium(async (context) => {
  const page = await context.newPage();
  await page.goto(`${other}/control`, { waitUntil: "load" });
  for (const [at, [name]] of FILES.entries()) {
    const url = urls[at];
    // A download ends the navigation.
    await page.goto(url, { waitUntil: "load" }).catch(() => {});
    const parts = [`<script src="${url}"></script>`, `<iframe src="${url}"></iframe>`, `<object data="${url}"></object>`];
    pages.set(`/parts/${name}`, ["text/html", `<!doctype html><script src="/control.js"></script>${parts.join("")}`]);
    await page.goto(`${other}/parts/${name}`, { waitUntil: "load" });
  }
  // What ran has told so by the next answer of the server.
  await page.goto(`${other}/last`, { waitUntil: "networkidle" });

  const count = async (way, urls) => {
    preflights = 0;
    const statuses = await page.evaluate(way, { origin: counted, upload, urls });
    seen.preflights[way.name] = [statuses, preflights];
  };
  async function putsOfSegments({ origin, upload, urls }) {
    const statuses = [];
    for (const url of urls) {
      const put = await fetch(`${origin}${url}?token=${upload}`, { method: "PUT", body: new Uint8Array(9) });
      statuses.push(put.status);
    }
    return statuses;
  }
  async function postsOfSegments({ origin, upload, urls }) {
    const statuses = [];
    for (const url of urls) {
      const post = await fetch(`${origin}${url}?put&token=${upload}`, { method: "POST", body: new Blob([new Uint8Array(9)]) });
      statuses.push(post.status);
    }
    return statuses;
  }
  async function postsOfParts({ origin, upload, urls: [url] }) {
    const statuses = [];
    const post = async (query, body) => {
      const answer = await fetch(`${origin}${url}?token=${upload}&${query}`, { method: "POST", body });
      statuses.push(answer.status);
      return answer.json();
    };
    const { uploadId } = await post("uploads");
    const id = `uploadId=${encodeURIComponent(uploadId)}`;
    const parts = [];
    for (const partNumber of [1, 2]) parts.push(await post(`${id}&partNumber=${partNumber}`, new Blob([new Uint8Array(5 << 20)])));
    await post(id, JSON.stringify({ parts }));
    return statuses;
  }
  await count(putsOfSegments, ["/u/1.m4s", "/u/2.m4s"]);
  await count(postsOfSegments, ["/u/3.m4s", "/u/4.m4s", "/u/3.m4s"]);
  await count(postsOfParts, ["/u/5.mp4"]);

  const body = JSON.stringify({ state: "done" });
  const path = "/u/5.mp4.status.json";
  await fetch(`${origin}${path}?token=${admin}`, { method: "PUT", body });
  seen.status = await page.evaluate(async ([url, token]) => {
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
    return [answer.redirected, await answer.json()];
  }, [origin + path, upload]);
});
for (const one of [server, counter]) {
  one.close();
  one.closeAllConnections();
}
console.log(JSON.stringify({ ran: [...ran].sort(), ...seen }));
