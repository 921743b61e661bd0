// `make deploy-check`: refuses an unsafe configuration and prints remedies.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { experimental_readRawConfig, unstable_readConfig } from "wrangler";
import { accountErrors, configurationErrors, healthErrors } from "./rules.mjs";

const HELP = `Checks a configuration before a deploy, and prints a report to standard output.

Usage: node tools/deploy/check.mjs [OPTIONS]

  --config FILE   configuration to check [default: wrangler.toml]
  --env NAME      environment of the configuration [default: the first]
  --any-origin    confirm ALLOWED_ORIGINS = "*"
  --offline       do not ask the account
  --url ORIGIN    check a running Worker instead, such as https://video.school.example
  --help          print this help

Exit status: 0 if nothing is refused, 1 if something is, 2 if the command line is wrong.
Without an account, the report lists the steps that it could not check.`;

/** Ends with a message about the command line. */
function misused(message) {
  console.error(message);
  process.exit(2);
}

function parsed() {
  try {
    return parseArgs({
      options: {
        offline: { type: "boolean", default: false },
        env: { type: "string", default: "" },
        config: { type: "string", default: "wrangler.toml" },
        url: { type: "string" },
        "any-origin": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    return misused(`${error.message}\n\n${HELP}`);
  }
}

const options = parsed();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const WRANGLER = join(import.meta.dirname, "../../node_modules/wrangler/bin/wrangler.js");
const environment = options.env ? ["--env", options.env] : ["--env", ""];

function wrangler(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WRANGLER, ...args, "--config", options.config], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0" },
  });
  return { ok: status === 0, stdout, said: stripVTControlCharacters(stderr + stdout).trim() };
}

/** Reports a step, and ends if it found errors. */
function done(step, errors) {
  console.log(`${errors.length === 0 ? "✔" : "✘"} ${step}`);
  for (const error of errors) console.log(`  - ${error}`);
  if (errors.length > 0) process.exit(1);
}

/** Reports a step that could not run. */
function unchecked(step, reason, remedy) {
  console.log(`– ${step}: not checked`);
  const lines = reason.split("\n").map((line) => line.trim());
  for (const line of [...lines.filter((line) => line && !line.startsWith("🪵")), remedy]) console.log(`  ${line}`);
}

if (options.url) {
  const response = await fetch(new URL("/_lectern/health", options.url)).catch(() => undefined);
  const health = await response?.json().catch(() => undefined);
  done(`the Worker at ${options.url}`, healthErrors(response?.status ?? 0, health));
  console.log(`  version ${health.version}, build ${health.build}, keys ${health.keys.join(", ")} (the first mints)`);
  process.exit(0);
}

if (!existsSync(options.config)) misused(`there is no file ${options.config}`);

/** Reads the file. wrangler's error holds all of it, of which the line is enough. */
function parsedConfiguration() {
  try {
    return experimental_readRawConfig({ config: options.config }).rawConfig;
  } catch (error) {
    if (!error.location) throw error;
    const { line, lineText } = error.location;
    const isConflict = /^(<{7}|={7}|>{7})( |$)/.test(lineText);
    const remedy = isConflict ? "decide which lines of the merge stay, and remove its marks" : error.text;
    return done(`the configuration in ${options.config}`, [`line ${line} is not TOML: ${remedy}`]);
  }
}

const rawConfig = parsedConfiguration();
const names = Object.keys(rawConfig.env ?? {});
if (options.env && !names.includes(options.env)) {
  misused(`there is no environment "${options.env}" in ${options.config}; it has: ${names.join(", ") || "none"}`);
}
const read = (env) => unstable_readConfig({ config: options.config, env }, { hideWarnings: true });
const config = read(options.env);
const asked = { environment: options.env, anyOrigin: options["any-origin"] };
const others = ["", ...names].filter((name) => name !== options.env).map(read);
done(`the configuration of "${config.name}" in ${options.config}`, configurationErrors(config, others, asked));

const folder = mkdtempSync(join(tmpdir(), "lectern-deploy-"));
const built = wrangler("deploy", "--dry-run", "--outdir", folder, ...environment);
rmSync(folder, { recursive: true });
done("a dry run of the deploy", built.ok ? [] : [`wrangler says: ${built.said}`]);
const [size] = /Total Upload:.*/.exec(built.stdout) ?? [];
if (size) console.log(`  ${size}`);

if (options.offline) {
  unchecked("the bucket and the keys in the account", "", "--offline asks no account");
} else {
  const { bucket_name: bucket, jurisdiction } = config.r2_buckets.find(({ binding }) => binding === "BUCKET");
  const place = jurisdiction ? ["--jurisdiction", jurisdiction] : [];
  const listed = wrangler("r2", "bucket", "list", ...place);
  const signIn = "run `wrangler login`, or set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID";
  // wrangler's own words offer an account that it makes for a while.
  const isSignedOut = listed.said.includes("set a CLOUDFLARE_API_TOKEN environment variable");
  const buckets = listed.ok ? [...listed.stdout.matchAll(/^name:\s+(\S+)/gm)].map(([, name]) => name) : undefined;
  // A Worker that was never deployed has no secrets.
  const kept = wrangler("secret", "list", "--format", "json", ...environment);
  const isNew = !kept.ok && kept.said.includes(`Worker "${config.name}" not found`);
  const secrets = kept.ok ? JSON.parse(kept.stdout.slice(kept.stdout.indexOf("["))).map(({ name }) => name) : isNew ? [] : undefined;
  if (!buckets) unchecked(`the bucket "${bucket}"`, isSignedOut ? "no account" : listed.said, signIn);
  if (!secrets) unchecked(`the keys of "${config.name}"`, isSignedOut ? "no account" : kept.said, signIn);
  const steps = [buckets && "the bucket", secrets && "the keys"].filter(Boolean);
  const target = `--config ${options.config} --env ${options.env || '""'}`;
  if (steps.length > 0) done(steps.join(" and "), accountErrors(bucket, { buckets, secrets, jurisdiction, target, hasWebhook: Boolean(config.vars?.WEBHOOK_URL) }));
}
