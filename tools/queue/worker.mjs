// The consumer that stands in for Cloudflare's pull API on this machine: hands every message to pull.mjs.
export default {
  async queue({ messages }, { PULL }) {
    const body = JSON.stringify({ bodies: messages.map(({ body }) => body) });
    const response = await fetch(`${PULL}/messages`, { method: "POST", body });
    if (!response.ok) throw new Error(`pull.mjs answers ${response.status}`);
  },
};
