// Each rule, with a configuration that breaks only that rule.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { accountErrors, configurationErrors, healthErrors } from "./rules.mjs";

const right = () => ({
  name: "lectern",
  compatibility_date: "2026-11-01",
  r2_buckets: [{ binding: "BUCKET", bucket_name: "school" }],
  ratelimits: [{ name: "REFUSALS" }],
  durable_objects: { bindings: [{ name: "LEDGERS", class_name: "Ledger" }] },
  migrations: [{ tag: "ledgers", new_sqlite_classes: ["Ledger"] }],
  kv_namespaces: [{ binding: "REVOCATIONS" }],
  routes: [{ pattern: "video.school.example", custom_domain: true }],
  workers_dev: false,
  preview_urls: false,
  observability: { enabled: true, redact_query_string: true, logs: { enabled: true, invocation_logs: false }, traces: { enabled: false } },
  vars: { BUCKET_NAME: "school", ALLOWED_ORIGINS: "https://courses.school.example" },
});
const other = () => ({
  ...right(),
  name: "lectern-staging",
  r2_buckets: [{ binding: "BUCKET", bucket_name: "tries" }],
  routes: [],
  workers_dev: true,
});

test("what is right is not complained about", () => {
  assert.deepEqual(configurationErrors(right(), [other()]), []);
  const staging = { ...other(), vars: { ...other().vars, BUCKET_NAME: "tries" } };
  assert.deepEqual(configurationErrors(staging, [right()], { environment: "staging" }), []);
});

for (const [what, change, expected] of [
  ["a bucket is missing", (config) => (config.r2_buckets = []), /^no bucket/],
  ["a bucket goes by another name", (config) => (config.r2_buckets[0].binding = "STORE"), /^no bucket/],
  ["the bucket's name is not repeated", (config) => delete config.vars.BUCKET_NAME, /^BUCKET_NAME is missing/],
  ["two buckets would share a cache", (config) => (config.vars.BUCKET_NAME = "tries"), /^BUCKET_NAME is "tries"/],
  ["the platform's cache is on", (config) => (config.cache = { enabled: true }), /^cache\.enabled is true/],
  ["keys are written down", (config) => (config.vars.LECTERN_KEYS = "[]"), /^LECTERN_KEYS is written/],
  ["keys are written down under another name", (config) => (config.vars.OLD = '[{"kid":"a","secret":"b"}]'), /^OLD is written/],
  ["a variable is forgotten", (config) => delete config.vars.ALLOWED_ORIGINS, /^ALLOWED_ORIGINS of "lectern-staging"/],
  ["nobody is limited", (config) => (config.ratelimits = []), /^no limit on refusals/],
  ["ledgers are missing in one environment", (config) => delete config.durable_objects, /^LEDGERS of "lectern-staging" is not here/],
  ["revocations are missing in one environment", (config) => delete config.kv_namespaces, /^REVOCATIONS of "lectern-staging" is not here/],
  ["ledgers have no storage", (config) => delete config.migrations, /^LEDGERS has no storage/],
  ["uploads are told to no queue", (config) => (config.vars.UPLOADS_PREFIX = "uploads/"), /^UPLOADS_PREFIX is set/],
  ["a webhook's secret is written down", (config) => (config.vars.WEBHOOK_SECRET = "whsec_AAAA"), /^WEBHOOK_SECRET is written/],
  ["a webhook has no TLS", (config) => (config.vars.WEBHOOK_URL = "http://school.example/"), /^WEBHOOK_URL is "http:/],
  ["there is no date", (config) => delete config.compatibility_date, /^compatibility_date/],
  ["the platform would log links", (config) => delete config.observability.redact_query_string, /^observability\.redact_query_string is not true/],
  ["the platform would log passes in paths", (config) => delete config.observability.logs.invocation_logs, /^observability\.logs\.invocation_logs is not false/],
  ["the log's settings are missing", (config) => delete config.observability.logs, /^observability\.logs\.invocation_logs is not false/],
  ["traces would have passes in paths", (config) => (config.observability.traces.enabled = true), /^observability\.traces\.enabled is not false/],
  ["traces are the platform's choice", (config) => delete config.observability.traces, /^observability\.traces\.enabled is not false/],
  ["what is logged is the account's choice", (config) => delete config.observability, /^there is no \[observability\]/],
  ["logs are on, by their own switch", (config) => (config.observability = { logs: { enabled: true } }), /^observability\.redact_query_string/],
  ["request URLs go to Logpush", (config) => (config.logpush = true), /^logpush is true/],
  ["request URLs go to another Worker", (config) => (config.tail_consumers = [{ service: "logs" }]), /^tail_consumers/],
  ["request URLs stream to another Worker", (config) => (config.streaming_tail_consumers = [{ service: "logs" }]), /^streaming_tail_consumers/],
  ["production is on workers.dev", (config) => (config.workers_dev = true), /^workers_dev is true in production/],
  ["production is on workers.dev by default", (config) => (delete config.workers_dev, delete config.routes), /^workers_dev is true in production/],
  ["old versions have addresses", (config) => (config.preview_urls = true), /^preview_urls is true/],
  ["no address leads to the Worker", (config) => (config.routes = []), /^the Worker has no address.*ENV=staging/],
  ["a variable is a table", (config) => (config.vars.WATCH_WINDOW = [{ a: 1 }]), /^WATCH_WINDOW is not text.*in quotes/],
  ["every page may read answers", (config) => (config.vars.ALLOWED_ORIGINS = "*"), /^ALLOWED_ORIGINS is "\*".*make deploy ANY_ORIGIN=yes/],
  ["every page may read answers, written otherwise", (config) => (config.vars.ALLOWED_ORIGINS = " *, "), /^ALLOWED_ORIGINS is " \*, "/],
  ["every page may read answers by default", (config) => delete config.vars.ALLOWED_ORIGINS, /^ALLOWED_ORIGINS is missing/],
]) {
  test(`deploying is refused where ${what}`, () => {
    const config = right();
    change(config);
    const errors = configurationErrors(config, [other()]);
    assert.ok(errors.some((error) => expected.test(error)), errors.join("\n"));
    assert.ok(!errors.join().includes("hunter2"));
  });
}

test("uploads may be told to a queue", () => {
  const config = { ...right(), queues: { producers: [{ binding: "JOBS", queue: "lectern-jobs" }] } };
  config.vars.UPLOADS_PREFIX = "uploads/";
  assert.deepEqual(configurationErrors(config, []), []);
});

test("every page may read answers where that is confirmed", () => {
  const config = right();
  config.vars.ALLOWED_ORIGINS = "*";
  assert.deepEqual(configurationErrors(config, [], { anyOrigin: true }), []);
});

test("a refusal of an environment names it in its command", () => {
  const config = { ...other(), vars: { BUCKET_NAME: "tries", ALLOWED_ORIGINS: "*" } };
  const errors = configurationErrors(config, [right()], { environment: "staging" });
  assert.equal(errors.length, 1, errors.join("\n"));
  assert.match(errors[0], /make deploy ENV=staging ANY_ORIGIN=yes/);
});

test("a log that is off needs no more words", () => {
  assert.deepEqual(configurationErrors({ ...right(), observability: { enabled: false } }), []);
});

test("environments may not share a domain", () => {
  const errors = configurationErrors(right(), [{ ...other(), routes: right().routes }]);
  assert.match(errors.join(), /"video\.school\.example" is also that of "lectern-staging".*routes = \[\]/);
});

test("environments may not share a bucket", () => {
  const errors = configurationErrors(right(), [{ ...other(), r2_buckets: right().r2_buckets }]);
  assert.match(errors.join(), /give each environment its own/);
});

test("what the account lacks is named with the command that makes it", () => {
  assert.deepEqual(accountErrors("school", { buckets: ["school"], secrets: ["LECTERN_KEYS"] }), []);
  assert.match(accountErrors("school", { buckets: [], secrets: ["LECTERN_KEYS"] }).join(), /r2 bucket create school/);
  assert.match(accountErrors("school", { buckets: [], secrets: [], jurisdiction: "eu" }).join(), /r2 bucket create school --jurisdiction eu`/);
  assert.match(accountErrors("school", { buckets: ["school"], secrets: [] }).join(), /secret put LECTERN_KEYS/);
  const webhook = { buckets: ["school"], hasWebhook: true };
  assert.match(accountErrors("school", { ...webhook, secrets: ["LECTERN_KEYS"] }).join(), /has no WEBHOOK_SECRET/);
  assert.deepEqual(accountErrors("school", { ...webhook, secrets: ["LECTERN_KEYS", "WEBHOOK_SECRET"] }), []);
  const target = "--config wrangler.local.toml --env staging";
  assert.match(accountErrors("school", { buckets: ["school"], secrets: [], target }).join(), /secret put LECTERN_KEYS --config wrangler\.local\.toml --env staging </);
});

test("what the account did not answer is no error", () => {
  assert.deepEqual(accountErrors("school", {}), []);
});

test("a Worker that is not well is not called deployed", () => {
  assert.deepEqual(healthErrors(200, { version: "1", bucket: true }), []);
  assert.match(healthErrors(500, { code: "misconfigured" }).join(), /log names the variable/);
  assert.match(healthErrors(503, { version: "1", bucket: false }).join(), /does not reach its bucket/);
  assert.match(healthErrors(404, undefined).join(), /is this the Worker/);
});

const check = (args, env = {}) =>
  spawnSync(process.execPath, ["tools/deploy/check.mjs", ...args], { encoding: "utf8", env: { ...process.env, ...env } });

/** The shipped file with the lines of docs/deploy.md and further changes. The test removes it at its end. */
function configured(t, change = (text) => text) {
  const folder = mkdtempSync(join(tmpdir(), "lectern-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "wrangler.toml");
  const shipped = readFileSync("wrangler.toml", "utf8")
    .replace('"build/index.js"', `"${process.cwd()}/build/index.js"`)
    .replace('"web/dist"', `"${process.cwd()}/web/dist"`)
    .replace("# routes = ", "routes = ")
    .replaceAll('ALLOWED_ORIGINS = "*"', 'ALLOWED_ORIGINS = "https://courses.school.example"');
  writeFileSync(file, change(shipped));
  return file;
}

test("the shipped file is refused for what a school has to write, and each refusal says it", () => {
  const { status, stdout, stderr } = check(["--offline"]);
  assert.equal(status, 1);
  assert.equal(stderr, "");
  const complaints = stdout.split("\n").filter((line) => line.startsWith("  - "));
  assert.equal(complaints.length, 2, stdout);
  assert.match(complaints[0], /^ {2}- the Worker has no address.*routes = \[\{ pattern = "video\.school\.example", custom_domain = true \}\].*make deploy ENV=staging/);
  assert.match(complaints[1], /^ {2}- ALLOWED_ORIGINS is "\*".*ANY_ORIGIN=yes/);
});

test("both environments would deploy once a school has written its lines", (t) => {
  const file = configured(t);
  for (const args of [[], ["--env", "staging"]]) {
    const { status, stdout, stderr } = check(["--offline", "--config", file, ...args]);
    assert.equal(status, 0, stdout + stderr);
  }
});

test("the shipped trial environment would deploy once any origin is confirmed", () => {
  const { status, stdout, stderr } = check(["--offline", "--env", "staging", "--any-origin"]);
  assert.equal(status, 0, stdout + stderr);
});

test("make hands the confirmation on", () => {
  for (const [words, expected] of [
    [["ENV=staging", "ANY_ORIGIN=yes"], /check\.mjs --config 'school\.toml' --env staging --any-origin$/m],
    [["ANY_ORIGIN=no"], /check\.mjs --config 'school\.toml'$/m],
  ]) {
    const { stdout } = spawnSync("make", ["--dry-run", "deploy-check", "CONFIG=school.toml", ...words], { encoding: "utf8" });
    assert.match(stdout.replace(/ +$/gm, ""), expected);
  }
});

test("an unknown environment is an error and not the first one", () => {
  const { status, stderr } = check(["--offline", "--env", "stagnig"]);
  assert.equal(status, 2);
  assert.match(stderr, /no environment "stagnig".*staging/);
});

for (const [what, change, expected] of [
  ["cache.enabled", (text) => text.replace("[observability]", "[cache]\nenabled = true\n\n[observability]"), /cache\.enabled is true/],
  ["a query that is logged", (text) => text.replaceAll("redact_query_string = true", ""), /redact_query_string is not true/],
  ["a path that is logged", (text) => text.replaceAll("invocation_logs = false", ""), /invocation_logs is not false/],
]) {
  test(`${what} in the file is seen, in each environment`, (t) => {
    const file = configured(t, change);
    for (const args of [[], ["--env", "staging"]]) {
      const { status, stdout } = check(["--offline", "--config", file, ...args]);
      assert.equal(status, 1, `${args}`);
      assert.match(stdout, expected);
    }
  });
}

test("help goes to standard output, a wrong command line to the error output", () => {
  const help = check(["--help"]);
  assert.deepEqual([help.status, help.stderr], [0, ""]);
  for (const option of ["--config", "--env", "--any-origin", "--offline", "--url", "--help"]) assert.ok(help.stdout.includes(`\n  ${option}`), option);
  for (const args of [["--ofline"], ["--config", "missing.toml"]]) {
    const { status, stdout, stderr } = check(args);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.ok(stderr.includes(args.at(-1)) && !stderr.includes("    at "), stderr);
  }
});

/** The check without a terminal, as asynchronous as the stand-in for the API needs. */
const checks = (args, env) =>
  new Promise((resolve) => {
    execFile(process.execPath, ["tools/deploy/check.mjs", ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? 0, stdout, stderr }),
    );
  });

test("without an account, the report goes on and says what is not checked, in plain text", async (t) => {
  const file = configured(t);
  const home = mkdtempSync(join(tmpdir(), "lectern-"));
  t.after(() => rmSync(home, { recursive: true }));
  const nobody = { HOME: home, XDG_CONFIG_HOME: home, CLOUDFLARE_API_TOKEN: "", CLOUDFLARE_API_KEY: "", CLOUDFLARE_EMAIL: "", FORCE_COLOR: "3" };
  const { status, stdout, stderr } = await checks(["--config", file], nobody);
  assert.deepEqual([status, stderr], [0, ""], stdout);
  assert.match(stdout, /^✔ a dry run of the deploy$/m);
  assert.match(stdout, /^– the bucket "lectern": not checked$/m);
  assert.match(stdout, /^– the keys of "lectern": not checked$/m);
  assert.match(stdout, /wrangler login/);
  assert.doesNotMatch(stdout, /\u001b|ERROR|--temporary/);
});

test("a file that is no TOML is refused by its line alone", async (t) => {
  const secret = 'password = "hunter2"';
  for (const [broken, remedy] of [
    ["name = ", /^ {2}- line 2 is not TOML: \S/m],
    ["<<<<<<< wrangler.local.toml", /^ {2}- line 2 is not TOML: decide which lines of the merge stay/m],
  ]) {
    const file = configured(t, (text) => `# first\n${broken}\n${secret}\n${text}`);
    const { status, stdout, stderr } = await checks(["--config", file, "--offline"]);
    assert.deepEqual([status, stderr], [1, ""], stdout);
    assert.match(stdout, /^✘ the configuration in /);
    assert.match(stdout, remedy);
    assert.doesNotMatch(stdout, /hunter2|\bat .*:\d+/);
  }
});

// A stand-in for Cloudflare's API.
async function standIn(t, answer) {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    const refuse = (status, code, message) => {
      response.statusCode = status;
      response.end(JSON.stringify({ success: false, errors: [{ code, message }], messages: [], result: null }));
    };
    const ok = (result) => response.end(JSON.stringify({ success: true, errors: [], messages: [], result }));
    answer(request, ok, refuse);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return {
    CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${server.address().port}/client/v4`,
    CLOUDFLARE_API_TOKEN: "stand-in",
    CLOUDFLARE_ACCOUNT_ID: "0123456789abcdef0123456789abcdef",
  };
}
const stored = (names) => ({ buckets: names.map((name) => ({ name, creation_date: "2026-11-01T00:00:00Z" })) });
const isBuckets = ({ url }) => /\/r2\/buckets(\?|$)/.test(url);
const isSecrets = ({ url }) => /\/scripts\/lectern\/secrets/.test(url);

test("the account is asked for its bucket and the Worker's keys", async (t) => {
  const file = configured(t);
  const account = { buckets: [], secrets: [] };
  const env = await standIn(t, (request, ok, refuse) => {
    if (isBuckets(request)) return ok(stored(account.buckets));
    if (isSecrets(request)) return ok(account.secrets.map((name) => ({ name, type: "secret_text" })));
    return refuse(404, 7003, `no ${request.url}`);
  });
  const empty = await checks(["--config", file], env);
  assert.equal(empty.status, 1, empty.stdout + empty.stderr);
  assert.match(empty.stdout, /wrangler r2 bucket create lectern`/);
  assert.match(empty.stdout, /wrangler secret put LECTERN_KEYS --config \S+wrangler\.toml --env "" </);
  account.buckets.push("lectern");
  account.secrets.push("LECTERN_KEYS");
  const ready = await checks(["--config", file], env);
  assert.equal(ready.status, 0, ready.stdout + ready.stderr);
});

test("a Worker that was never deployed has no keys", async (t) => {
  const env = await standIn(t, (request, ok, refuse) => {
    if (isBuckets(request)) return ok(stored(["lectern"]));
    return refuse(404, 10007, "This Worker does not exist on your account.");
  });
  const { status, stdout } = await checks(["--config", configured(t)], env);
  assert.equal(status, 1, stdout);
  assert.match(stdout, /the Worker has no LECTERN_KEYS/);
});

test("a token that may not list buckets leaves them unchecked", async (t) => {
  const env = await standIn(t, (request, ok, refuse) => {
    if (isSecrets(request)) return ok([{ name: "LECTERN_KEYS", type: "secret_text" }]);
    return refuse(403, 10000, "Authentication error");
  });
  const { status, stdout } = await checks(["--config", configured(t)], env);
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^– the bucket "lectern": not checked$/m);
  assert.match(stdout, /Authentication error/);
  assert.match(stdout, /^✔ the keys$/m);
});

test("a bucket is looked for in its jurisdiction", async (t) => {
  const file = configured(t, (text) => text.replace('bucket_name = "lectern"', 'bucket_name = "lectern"\njurisdiction = "eu"'));
  const env = await standIn(t, (request, ok) => {
    if (isBuckets(request)) return ok(stored(request.headers["cf-r2-jurisdiction"] === "eu" ? ["lectern"] : []));
    return ok([{ name: "LECTERN_KEYS", type: "secret_text" }]);
  });
  const { status, stdout } = await checks(["--config", file], env);
  assert.equal(status, 0, stdout);
});

test("git ignores keys and a school's own settings", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "lectern-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, ".gitignore"), readFileSync(".gitignore"));
  const git = (...args) => spawnSync("git", args, { cwd: folder, encoding: "utf8" });
  git("init", "--quiet");
  const secret = ["lectern-keys.json", "lectern-keys-staging.json", "rotated.json", "lectern.env", ".dev.vars", "wrangler.local.toml"];
  assert.equal(git("check-ignore", ...secret, "wrangler.toml").stdout, secret.map((name) => `${name}\n`).join(""));
});

test("what is deployed is the file that was checked", (t) => {
  // Without `--config`, wrangler prefers a `wrangler.json`, or what `.wrangler/deploy/config.json` names.
  const folder = mkdtempSync(join(tmpdir(), "lectern-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["Makefile", "wrangler.toml"]) writeFileSync(join(folder, name), readFileSync(name));
  const commands = () => {
    const { stdout } = spawnSync("make", ["--dry-run", "--old-file=build", "deploy"], { cwd: folder, encoding: "utf8" });
    return stdout.match(/(check\.mjs|wrangler\.js deploy) --config \S+/g);
  };
  assert.deepEqual(commands(), ["check.mjs --config 'wrangler.toml'", "wrangler.js deploy --config 'wrangler.toml'"]);
  writeFileSync(join(folder, "wrangler.local.toml"), "");
  assert.deepEqual(commands(), ["check.mjs --config 'wrangler.local.toml'", "wrangler.js deploy --config 'wrangler.local.toml'"]);
});
