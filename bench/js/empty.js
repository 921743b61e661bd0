// The peer of the start: as little as a Worker can be.
export default {
  fetch: () => new Response(""),
};
