// Runs edges for the end-to-end tests: the built Worker in workerd, as `wrangler dev` runs it, but
// without a wrangler for each edge. A wrangler takes ten times as long to start as an edge.
//
// Reads a line of JSON for each order. `{"start": PORT, "config", "state", "log", "variables",
// "assets", "hasRequestsInLog"}` starts an edge, and `{"stop": PORT}` ends it. Prints
// `{"edge": PORT}` when it is done, with an `error` if there was one. Its edges end with its
// standard input.
import { appendFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { convertV4MiniflareOptions as converted, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions as readOptions, unstable_readConfig } from "wrangler";

const root = resolve(import.meta.dirname, "..");
const built = `${root}/build/index.js`;
const edges = new Map();

async function start({ start: port, config, state, log, variables, assets, hasRequestsInLog }) {
  const path = resolve(root, config);
  const { name, vars } = unstable_readConfig({ config: path });
  const overrides = assets ? { assets: { directory: assets } } : undefined;
  const { workerOptions, main } = readOptions(path, undefined, { overrides });
  const { modulesRules: _, ...options } = workerOptions;
  const scripts = [...new Set([main, built])].map((path) => ({ type: "ESModule", path }));
  const write = (text) => appendFileSync(log, `${text}\n`);
  const edge = new Miniflare(converted({
    host: "127.0.0.1",
    port,
    cf: false,
    resourcePersistencePath: `${state}/v3`,
    logRequests: false,
    handleStructuredLogs({ level, message }) {
      if (hasRequestsInLog || level === "warn" || level === "error") write(message);
    },
    handleUncaughtError: (error) => write(error.stack),
    workers: [{
      ...options,
      name,
      rootPath: root,
      modulesRoot: root,
      modules: [...scripts, { type: "CompiledWasm", path: `${root}/build/index_bg.wasm` }],
      // No developer's `.dev.vars`.
      bindings: { ...vars, ...variables },
    }],
  }));
  edges.set(port, edge);
  await edge.ready;
}

async function stop({ stop: port }) {
  const edge = edges.get(port);
  edges.delete(port);
  await edge?.dispose();
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  const edge = order.start ?? order.stop;
  const answer = (more) => console.log(JSON.stringify({ edge, ...more }));
  ("start" in order ? start(order) : stop(order))
    .then(() => answer({}), (error) => answer({ error: error.stack }));
}
await Promise.all([...edges.keys()].map((port) => stop({ stop: port })));
