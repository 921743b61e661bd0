// A Worker under `wrangler dev`: a free port, its own folder, and an end in any case.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = resolve(import.meta.dirname, "..");
const running = new Set();
// No telemetry, and no look-ups.
const quiet = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => process.exit(130));
}
process.on("exit", () => running.forEach((server) => server.stop()));

export class Server {
  /** Serves only the module `main`. */
  static async ofModule(main) {
    const folder = mkdtempSync(join(tmpdir(), "lectern-bench-"));
    const config = join(folder, "wrangler.json");
    // The project's own date, so that the runtime behaves as for the Worker.
    const [, date] = /^compatibility_date = "(.*)"/m.exec(readFileSync(join(root, "wrangler.toml"), "utf8"));
    writeFileSync(config, JSON.stringify({ name: "bench", main: join(root, main), compatibility_date: date }));
    return new Server(folder, ["--config", config]).started();
  }

  /** Serves the Worker of `make build` with `keys` as its key ring, or `main` with the same bindings. */
  static async ofProject(keys, main) {
    const folder = mkdtempSync(join(tmpdir(), "lectern-bench-"));
    const secrets = join(folder, "secrets");
    writeFileSync(secrets, `LECTERN_KEYS='${JSON.stringify(keys)}'\n`);
    return new Server(folder, [...(main ? [main] : []), "--env-file", secrets]).started();
  }

  constructor(folder, options) {
    this.folder = folder;
    this.options = options;
    running.add(this);
  }

  async started() {
    const [port, inspector] = [await freePort(), await freePort()];
    this.origin = `http://127.0.0.1:${port}`;
    this.inspector = inspector;
    this.log = join(this.folder, "log");
    const log = openSync(this.log, "w");
    const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
    const options = ["--ip", "127.0.0.1", "--port", port, "--inspector-port", inspector, "--log-level", "warn"];
    // The shell ends the group when its standard input closes, so it ends with this process in any
    // case.
    this.shell = spawn(
      "sh",
      ["-c", '("$@" </dev/null; kill -KILL -- -$$) & cat >/dev/null; kill -KILL -- -$$', "bench", process.execPath, wrangler, "dev"]
        .concat(options, ["--show-interactive-dev-session=false", "--persist-to", join(this.folder, "state")])
        .concat(this.options)
        .map(String),
      { cwd: root, detached: true, env: { ...process.env, ...quiet }, stdio: ["pipe", log, log] },
    );
    for (let tries = 0; tries < 900 && this.shell.exitCode === null && this.shell.signalCode === null; tries++) {
      try {
        await fetch(`${this.origin}/ready`);
        return this;
      } catch {
        await sleep(100);
      }
    }
    throw new Error(`the server did not start:\n${readFileSync(this.log, "utf8")}`);
  }

  /** Nanoseconds of CPU of the server's workerd, all threads; `undefined` without /proc. */
  cpu() {
    this.runtimes ??= descendants(this.shell.pid).filter((pid) => commandOf(pid) === "workerd");
    return cpuOf(this.runtimes);
  }

  /** As `cpu`, only of the workerd that runs the Worker: `wrangler dev` has another one that listens. */
  cpuOfWorker() {
    return cpuOf([this.worker()].filter(Boolean));
  }

  /** Resident bytes of the workerd that runs the Worker, its bucket and its cache. */
  rss() {
    const status = readOr(`/proc/${this.worker()}/status`, "");
    return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? NaN) * 1024;
  }

  worker() {
    const { port } = new URL(this.origin);
    const listens = (pid) => readOr(`/proc/${pid}/cmdline`, "").includes(`:${port}\0`);
    this.workerPid ??= descendants(this.shell.pid).find((pid) => commandOf(pid) === "workerd" && !listens(pid));
    return this.workerPid;
  }

  stop() {
    running.delete(this);
    try {
      process.kill(-this.shell.pid, "SIGKILL");
    } catch {
      // It never started, or it has ended.
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

function cpuOf(pids) {
  if (pids.length === 0) {
    return undefined;
  }
  const ofTask = (path) => Number(readOr(`${path}/schedstat`, "0").split(" ")[0]);
  const ofProcess = (pid) => readdirSync(`/proc/${pid}/task`).map((task) => ofTask(`/proc/${pid}/task/${task}`));
  return pids.flatMap(ofProcess).reduce((sum, part) => sum + part, 0);
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

const readOr = (path, otherwise) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
};

const commandOf = (pid) => readOr(`/proc/${pid}/comm`, "").trim();

function descendants(ancestor) {
  if (!existsSync("/proc/self/schedstat")) {
    return [];
  }
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const parents = new Map(pids.map((pid) => [Number(pid), Number(/^PPid:\s*(\d+)/m.exec(readOr(`/proc/${pid}/status`, ""))?.[1])]));
  const below = (pid) => pid === ancestor || (parents.has(pid) && below(parents.get(pid)));
  return [...parents.keys()].filter((pid) => pid !== ancestor && below(pid));
}
