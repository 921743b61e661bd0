// The peers of the stream benchmark. They stream the bucket's bodies unchecked; `?cached` puts the
// data centre's cache in front, as most Workers do. `?told` adds the Worker's headers and a log
// line of the same length, to measure their cost in the simulator.
const TOLD = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "Content-Security-Policy": "default-src 'none'; sandbox",
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "Accept-Ranges, Content-Length, Content-Range, ETag, Server-Timing, Date, Age",
  "Timing-Allow-Origin": "*",
  "Content-Type": "application/octet-stream",
  "ETag": '"0123456789abcdef0123456789abcdef"',
  "Last-Modified": "Tue, 24 Nov 2026 20:00:00 GMT",
  "Accept-Ranges": "bytes",
  "Cache-Control": "private, max-age=21600",
  "Vary": "Accept-Encoding",
  "Server-Timing": "cache;desc=miss, verify;dur=0.1, rewrite;dur=0",
};
const line = (key) => JSON.stringify({ method: "GET", status: 200, key, bytes: 1024, cache: "miss", viewer: "0123456789abcdef".repeat(2) });

export default {
  async fetch(request, env, context) {
    const { origin, pathname, search } = new URL(request.url);
    const [key, entry] = [pathname.slice(1), origin + pathname];
    if (request.method === "PUT") {
      await env.BUCKET.put(key, request.body);
      await caches.default.delete(entry);
      return new Response(null);
    }
    const cached = search === "?cached" ? await caches.default.match(entry) : undefined;
    if (cached !== undefined) {
      return new Response(cached.body, { headers: { "Server-Timing": "cache;desc=hit" } });
    }
    const object = await env.BUCKET.get(key);
    if (object === null) {
      return new Response("nothing there", { status: 404 });
    }
    if (search === "?told") {
      console.log(line(key));
      return new Response(object.body, { headers: TOLD });
    }
    if (search !== "?cached") {
      return new Response(object.body);
    }
    const headers = { "Cache-Control": "public, max-age=86400", "Content-Length": object.size };
    const response = new Response(object.body, { headers });
    context.waitUntil(caches.default.put(entry, response.clone()));
    return new Response(response.body, { headers: { "Server-Timing": "cache;desc=miss" } });
  },
};
