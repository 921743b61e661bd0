// `make deploy-check`: refuses an unsafe configuration and prints remedies. `--offline` asks no
// account, `--env NAME` selects another environment, `--config FILE` another file. `--url ORIGIN`
// checks a running Worker. `--any-origin` confirms ALLOWED_ORIGINS = "*".
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { experimental_readRawConfig, unstable_readConfig } from "wrangler";
import { accountErrors, configurationErrors, healthErrors } from "./rules.mjs";

const { values: options } = parseArgs({
  options: {
    offline: { type: "boolean", default: false },
    env: { type: "string", default: "" },
    config: { type: "string", default: "wrangler.toml" },
    url: { type: "string" },
    "any-origin": { type: "boolean", default: false },
  },
});
const WRANGLER = join(import.meta.dirname, "../../node_modules/wrangler/bin/wrangler.js");
const environment = options.env ? ["--env", options.env] : ["--env", ""];

function wrangler(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WRANGLER, ...args, "--config", options.config], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { ok: status === 0, stdout, said: (stderr + stdout).trim() };
}

function done(step, errors) {
  if (errors.length === 0) return console.log(`✔ ${step}`);
  console.error(`✘ ${step}`);
  for (const error of errors) console.error(`  - ${error}`);
  process.exit(1);
}

if (options.url) {
  const response = await fetch(new URL("/_lectern/health", options.url)).catch(() => undefined);
  const health = await response?.json().catch(() => undefined);
  done(`the Worker at ${options.url}`, healthErrors(response?.status ?? 0, health));
  console.log(`  version ${health.version}, build ${health.build}, keys ${health.keys.join(", ")} (the first mints)`);
  process.exit(0);
}

const { rawConfig } = experimental_readRawConfig({ config: options.config });
const names = Object.keys(rawConfig.env ?? {});
if (options.env && !names.includes(options.env)) {
  console.error(`there is no environment "${options.env}" in ${options.config}; it has: ${names.join(", ") || "none"}`);
  process.exit(2);
}
const read = (env) => unstable_readConfig({ config: options.config, env }, { hideWarnings: true });
const config = read(options.env);
const asked = { environment: options.env, anyOrigin: options["any-origin"] };
const others = ["", ...names].filter((name) => name !== options.env).map(read);
done(`the configuration of "${config.name}"`, configurationErrors(config, others, asked));

const folder = mkdtempSync(join(tmpdir(), "lectern-deploy-"));
const built = wrangler("deploy", "--dry-run", "--outdir", folder, ...environment);
rmSync(folder, { recursive: true });
done("a dry run of the deploy", built.ok ? [] : [`wrangler says: ${built.said}`]);
const [size] = /Total Upload:.*/.exec(built.stdout) ?? [];
if (size) console.log(`  ${size}`);

if (!options.offline) {
  const bucket = config.r2_buckets.find(({ binding }) => binding === "BUCKET").bucket_name;
  const listed = wrangler("r2", "bucket", "list");
  done("the account", listed.ok ? [] : [`wrangler says: ${listed.said}`, "`wrangler login`, or set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID"]);
  const buckets = [...listed.stdout.matchAll(/^name:\s+(\S+)/gm)].map(([, name]) => name);
  // A Worker that was never deployed and has no secret cannot be asked.
  const kept = wrangler("secret", "list", "--format", "json", ...environment);
  const secrets = kept.ok ? JSON.parse(kept.stdout.slice(kept.stdout.indexOf("["))).map(({ name }) => name) : [];
  done("the bucket and the keys", accountErrors(bucket, { buckets, secrets }));
}
