// The benchmark's routes over the built library, in place of the Worker's own.
import Lectern from "./build/index.js";

export default class extends Lectern {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const [segments, rounds] = ["segments", "rounds"].map((name) => Number(searchParams.get(name)));
    switch (pathname) {
      case "/rewrite":
        return Response.json(this.rewritten(segments, rounds));
      case "/sample":
        return new Response(this.sample(segments));
      case "/link":
        return Response.json(this.verified_links(rounds));
      case "/pass":
        return Response.json(this.verified_passes(rounds));
      default:
        return new Response("no such route", { status: 404 });
    }
  }
}
