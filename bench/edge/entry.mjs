// The benchmark's routes over the built library, in place of the Worker's own.
import { rewritten, sample, verified_links, verified_passes } from "./index.js";

export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const [segments, rounds] = ["segments", "rounds"].map((name) => Number(searchParams.get(name)));
    switch (pathname) {
      case "/rewrite":
        return Response.json(rewritten(segments, rounds));
      case "/sample":
        return new Response(sample(segments));
      case "/link":
        return Response.json(verified_links(rounds));
      case "/pass":
        return Response.json(verified_passes(rounds));
      default:
        return new Response("no such route", { status: 404 });
    }
  },
};
