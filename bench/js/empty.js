// The peer of the start benchmark: the smallest Worker.
export default {
  fetch: () => new Response(""),
};
