// Each rule, by a configuration that breaks just that rule.
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
  vars: { BUCKET_NAME: "school", ALLOWED_ORIGINS: "*" },
});
const other = () => ({ ...right(), name: "lectern-staging", r2_buckets: [{ binding: "BUCKET", bucket_name: "tries" }] });

test("what is right is not complained about", () => {
  assert.deepEqual(configurationErrors(right(), [other()]), []);
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
  ["uploads are told to no queue", (config) => (config.vars.UPLOADS_PREFIX = "uploads/"), /^UPLOADS_PREFIX is set/],
  ["there is no date", (config) => delete config.compatibility_date, /^compatibility_date/],
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

test("environments may not share a bucket", () => {
  const errors = configurationErrors(right(), [{ ...other(), r2_buckets: right().r2_buckets }]);
  assert.match(errors.join(), /give each environment its own/);
});

test("what the account lacks is named with the command that makes it", () => {
  assert.deepEqual(accountErrors("school", { buckets: ["school"], secrets: ["LECTERN_KEYS"] }), []);
  assert.match(accountErrors("school", { buckets: [], secrets: ["LECTERN_KEYS"] }).join(), /r2 bucket create school/);
  assert.match(accountErrors("school", { buckets: ["school"], secrets: [] }).join(), /secret put LECTERN_KEYS/);
});

test("a Worker that is not well is not called deployed", () => {
  assert.deepEqual(healthErrors(200, { version: "1", bucket: true }), []);
  assert.match(healthErrors(500, { code: "misconfigured" }).join(), /log names the variable/);
  assert.match(healthErrors(503, { version: "1", bucket: false }).join(), /does not reach its bucket/);
  assert.match(healthErrors(404, undefined).join(), /is this the Worker/);
});

const check = (args, env = {}) =>
  spawnSync(process.execPath, ["tools/deploy/check.mjs", ...args], { encoding: "utf8", env: { ...process.env, ...env } });

test("both shipped environments would deploy", () => {
  for (const args of [[], ["--env", "staging"]]) {
    const { status, stdout, stderr } = check(["--offline", ...args]);
    assert.equal(status, 0, stdout + stderr);
  }
});

test("an unknown environment is an error and not the first one", () => {
  const { status, stderr } = check(["--offline", "--env", "stagnig"]);
  assert.equal(status, 2);
  assert.match(stderr, /no environment "stagnig".*staging/);
});

test("cache.enabled in the file is seen", () => {
  const folder = mkdtempSync(join(tmpdir(), "lectern-"));
  try {
    const file = join(folder, "wrangler.toml");
    const main = join(process.cwd(), "build/index.js");
    const shipped = readFileSync("wrangler.toml", "utf8").replace('"build/index.js"', `"${main}"`).replace('"web/dist"', `"${process.cwd()}/web/dist"`);
    writeFileSync(file, `${shipped.replace("[observability]", "[cache]\nenabled = true\n\n[observability]")}`);
    const { status, stderr } = check(["--offline", "--config", file]);
    assert.equal(status, 1);
    assert.match(stderr, /cache\.enabled is true/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

// Cloudflare's API is stood in for: there is no account here.
test("the account is asked for its bucket and the Worker's keys", async () => {
  const account = { buckets: [], secrets: [] };
  const server = createServer((request, response) => {
    const ok = (result) => response.end(JSON.stringify({ success: true, errors: [], messages: [], result }));
    response.setHeader("content-type", "application/json");
    if (/\/r2\/buckets(\?|$)/.test(request.url)) return ok({ buckets: account.buckets.map((name) => ({ name, creation_date: "2026-11-01T00:00:00Z" })) });
    if (/\/scripts\/lectern\/secrets/.test(request.url)) return ok(account.secrets.map((name) => ({ name, type: "secret_text" })));
    response.statusCode = 404;
    response.end(JSON.stringify({ success: false, errors: [{ code: 7003, message: `no ${request.url}` }], messages: [], result: null }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const env = {
    CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${server.address().port}/client/v4`,
    CLOUDFLARE_API_TOKEN: "stand-in",
    CLOUDFLARE_ACCOUNT_ID: "0123456789abcdef0123456789abcdef",
  };
  const run = () =>
    new Promise((resolve) => {
      execFile(process.execPath, ["tools/deploy/check.mjs"], { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
        resolve({ status: error?.code ?? 0, stdout, stderr }),
      );
    });
  try {
    const empty = await run();
    assert.equal(empty.status, 1, empty.stdout + empty.stderr);
    assert.match(empty.stderr, /wrangler r2 bucket create lectern/);
    assert.match(empty.stderr, /wrangler secret put LECTERN_KEYS/);
    account.buckets.push("lectern");
    account.secrets.push("LECTERN_KEYS");
    const ready = await run();
    assert.equal(ready.status, 0, ready.stdout + ready.stderr);
  } finally {
    server.close();
  }
});
