// The consumer for the local pull API: forwards every message to pull.mjs.
export default {
  async queue({ messages }, { PULL }) {
    const body = JSON.stringify({ bodies: messages.map(({ body }) => body) });
    const response = await fetch(`${PULL}/messages`, { method: "POST", body });
    if (!response.ok) throw new Error(`pull.mjs answers ${response.status}`);
  },
};
