// A local stand-in for Cloudflare Queues' pull API, because `wrangler dev` has only producers and
// push consumers. worker.mjs forwards messages of the Worker; `lectern work --queue
// http://127.0.0.1:PORT` pulls them. Messages are in memory. PORT from the environment; RETRIES as
// a consumer's `max_retries`.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

const retries = Number(process.env.RETRIES ?? 3);
const messages = [];

const routes = {
  "/messages": ({ bodies }) => {
    const now = Date.now();
    for (const body of bodies) messages.push({ id: randomUUID(), body, attempts: 0, at: now, visible: now, leases: [] });
    return {};
  },
  "/messages/pull": ({ visibility_timeout_ms = 30_000, batch_size = 5 }) => {
    const now = Date.now();
    const pulled = [];
    for (const message of messages.filter(({ visible }) => visible <= now).slice(0, batch_size)) {
      if (message.attempts > retries) {
        messages.splice(messages.indexOf(message), 1);
        console.error(`dead letter: ${message.body}`);
        continue;
      }
      message.attempts += 1;
      message.visible = now + visibility_timeout_ms;
      const lease_id = randomUUID();
      message.leases.push(lease_id);
      pulled.push({
        // Cloudflare encodes messages of the content type `json` like this.
        body: Buffer.from(JSON.stringify(message.body)).toString("base64"),
        id: message.id,
        timestamp_ms: message.at,
        attempts: message.attempts,
        lease_id,
        metadata: { "CF-Content-Type": "json" },
      });
    }
    return { messages: pulled, message_backlog_count: messages.length };
  },
  // A lapsed lease still counts.
  "/messages/ack": ({ acks = [], retries: back = [] }) => {
    const of = (id) => messages.find(({ leases }) => leases.includes(id));
    for (const { lease_id } of acks) {
      const at = messages.indexOf(of(lease_id));
      if (at >= 0) messages.splice(at, 1);
    }
    for (const { lease_id, delay_seconds = 0 } of back) {
      const message = of(lease_id);
      if (message) message.visible = Date.now() + 1000 * delay_seconds;
    }
    return { ackCount: acks.length, retryCount: back.length };
  },
};

createServer(async (request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
  const refuse = (status, message) => answer(status, { success: false, errors: [{ code: status, message }], result: null });
  const route = request.method === "POST" && routes[request.url];
  if (!route) return refuse(404, "no such route");
  try {
    let text = "";
    for await (const chunk of request) text += chunk;
    answer(200, { success: true, errors: [], messages: [], result: route(JSON.parse(text)) });
  } catch (error) {
    refuse(400, String(error));
  }
}).listen(Number(process.env.PORT), "127.0.0.1");
