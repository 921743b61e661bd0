// Waiting for a local edge: for its health, an error that it answers, its end, or silence.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Waits for an edge on `port` with the process `pid`. @param {number} port @param {number | undefined} pid */
async function waited(port, pid) {
  const script = `. tools/await.sh; await_edge http://127.0.0.1:${port} ${pid}`;
  const child = spawn("bash", ["-euo", "pipefail", "-c", script], { cwd: root, env: { ...process.env, SILENCE: "1" } });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const [code] = await once(child, "close");
  return { code, said };
}

/** A server with these answers, the last one again and again. @param {[number, string][]} answers */
async function edge(answers) {
  let asked = 0;
  const server = createServer((_, answer) => {
    const [status, body] = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    answer.writeHead(status).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { server, port };
}

test("an edge is awaited until it is healthy", async () => {
  const { server, port } = await edge([[503, "soon"], [200, "ok"]]);
  assert.deepEqual(await waited(port, process.pid), { code: 0, said: "" });
  server.close();
});

test("an error of the edge is shown in its own words", async () => {
  const { server, port } = await edge([[500, '{"code":"misconfigured"}']]);
  const { code, said } = await waited(port, process.pid);
  assert.equal(code, 2);
  assert.equal(said, `the edge on http://127.0.0.1:${port} answers 500: {"code":"misconfigured"}\n`);
  server.close();
});

test("a server that ended or does nothing is given up", async () => {
  const { server, port } = await edge([[200, ""]]);
  server.close();
  const idle = spawn("sleep", ["60"]);
  const silent = await waited(port, idle.pid);
  assert.equal(silent.code, 3);
  assert.match(silent.said, /does not answer, and its server does nothing/);
  idle.kill();
  await once(idle, "close");
  assert.deepEqual(await waited(port, idle.pid), { code: 1, said: "" });
});
