// The peers of the stream benchmark: the bucket's bodies are passed through without any check, and with `?cached` the data
// centre's cache stands in front, as most people write it.
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
    if (search !== "?cached") {
      return new Response(object.body);
    }
    const headers = { "Cache-Control": "public, max-age=86400", "Content-Length": object.size };
    const response = new Response(object.body, { headers });
    context.waitUntil(caches.default.put(entry, response.clone()));
    return new Response(response.body, { headers: { "Server-Timing": "cache;desc=miss" } });
  },
};
