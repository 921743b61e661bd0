// A course app that takes webhooks on a free port of this machine, and verifies them as Standard Webhooks says.
//   node receiver.mjs SECRET
// Prints its URL, and then each message as a line of JSON. The first message gets 503, the others 204. Ends with its
// standard input.
import { createHmac } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.argv[2].replace("whsec_", ""), "base64");
let came = 0;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } = request.headers;
  const expected = `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  const isNow = Math.abs(Date.now() / 1000 - Number(timestamp)) < 60;
  const status = (came += 1) === 1 ? 503 : 204;
  response.writeHead(status).end();
  const type = request.headers["content-type"];
  console.log(JSON.stringify({ status, id, type, valid: request.method === "POST" && signature === expected && isNow, body: JSON.parse(body) }));
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/hooks`));
process.stdin.on("end", () => process.exit()).resume();
