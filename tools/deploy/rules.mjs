// Rules for a deployment. Pure: facts in, complaints out.

const KEYS = "LECTERN_KEYS";
const WEBHOOK_SECRET = "WEBHOOK_SECRET";
/** The test environment. Every other one is production. */
const TRIAL = "staging";

/**
 * @param {object} config one environment of wrangler.toml, as wrangler reads it
 * @param {object[]} others the file's other environments
 * @param {{ environment?: string, anyOrigin?: boolean }} asked the environment's name, empty for the file's first, and
 *   the confirmation that every page may read answers
 * @returns {string[]} complaints with remedies
 */
export function configurationErrors(config, others = [], { environment = "", anyOrigin = false } = {}) {
  const errors = [...addressErrors(config, others, environment)];
  const bucket = (config.r2_buckets ?? []).find(({ binding }) => binding === "BUCKET");
  if (!bucket?.bucket_name) {
    errors.push("no bucket: add [[r2_buckets]] with binding = \"BUCKET\" and bucket_name to this environment; bindings are not inherited");
  } else {
    if (config.vars?.BUCKET_NAME !== bucket.bucket_name) {
      errors.push(`BUCKET_NAME is ${shown(config.vars?.BUCKET_NAME)} and the bucket is "${bucket.bucket_name}": the cache would mix buckets; write the same name in both places`);
    }
    for (const other of others) {
      const shared = (other.r2_buckets ?? []).some(({ bucket_name }) => bucket_name === bucket.bucket_name);
      if (shared) errors.push(`the bucket "${bucket.bucket_name}" is also that of "${other.name}": give each environment its own`);
    }
  }
  if (config.cache?.enabled) {
    errors.push("cache.enabled is true: Cloudflare would answer from its cache without asking the Worker, so to anybody without a link; remove [cache]");
  }
  for (const [name, value] of Object.entries(config.vars ?? {})) {
    if (typeof value !== "string") {
      errors.push(`${name} is not text: the Worker reads text alone; write it in quotes, as in ${name} = "…"`);
      continue;
    }
    if (name === KEYS || /"secret"\s*:/.test(String(value))) {
      errors.push(`${name} is written in the configuration: take it out, replace those keys, and set them with \`wrangler secret put ${KEYS}\``);
    }
  }
  for (const other of others) {
    const missing = Object.keys(other.vars ?? {}).filter((name) => !(name in (config.vars ?? {})));
    if (missing.length > 0) errors.push(`${missing.join(", ")} of "${other.name}" is not here: variables are not inherited; write it again`);
  }
  if (!(config.ratelimits ?? []).some(({ name }) => name === "REFUSALS")) {
    errors.push("no limit on refusals: add [[ratelimits]] with name = \"REFUSALS\" to this environment; bindings are not inherited");
  }
  const hasQueue = (config.queues?.producers ?? []).some(({ binding }) => binding === "JOBS");
  if (config.vars?.UPLOADS_PREFIX && !hasQueue) {
    errors.push("UPLOADS_PREFIX is set and no queue is bound as JOBS, so that uploads would be refused: add [[queues.producers]] with binding = \"JOBS\" to this environment; bindings are not inherited");
  }
  errors.push(...viewerErrors(config, others), ...webhookErrors(config));
  if (!config.compatibility_date) errors.push("compatibility_date is missing");
  if (isAnyOrigin(config.vars?.ALLOWED_ORIGINS) && !anyOrigin) {
    const command = `make deploy ${environment ? `ENV=${environment} ` : ""}ANY_ORIGIN=yes`;
    errors.push(
      `ALLOWED_ORIGINS is ${shown(config.vars?.ALLOWED_ORIGINS)}: any page on the web may read what a link opens; name your pages' origins, as in ALLOWED_ORIGINS = "https://courses.school.example", or confirm it with \`${command}\``,
    );
  }
  return [...errors, ...logErrors(config)];
}

/** Bindings for what the edge remembers of viewers. Both are optional. */
function viewerErrors(config, others) {
  const errors = [];
  const ledgers = ({ durable_objects }) => (durable_objects?.bindings ?? []).find(({ name }) => name === "LEDGERS");
  const revocations = ({ kv_namespaces }) => (kv_namespaces ?? []).find(({ binding }) => binding === "REVOCATIONS");
  const bound = [
    ["LEDGERS", ledgers, "[[durable_objects.bindings]]"],
    ["REVOCATIONS", revocations, "[[kv_namespaces]]"],
  ];
  for (const [name, find, table] of bound) {
    const other = others.find(find);
    if (other && !find(config)) errors.push(`${name} of "${other.name}" is not here: bindings are not inherited; add ${table} to this environment`);
  }
  if (ledgers(config)) {
    const created = (config.migrations ?? []).flatMap(({ new_sqlite_classes }) => new_sqlite_classes ?? []);
    if (!created.includes(ledgers(config).class_name)) {
      errors.push("LEDGERS has no storage: add [[migrations]] with tag = \"ledgers\" and new_sqlite_classes = [\"Ledger\"] to this environment");
    }
  } else if (revocations(config)) {
    errors.push("REVOCATIONS is bound and LEDGERS is not, so that nothing could be revoked: add [[durable_objects.bindings]] with name = \"LEDGERS\" and class_name = \"Ledger\", and its [[migrations]]");
  }
  return errors;
}

/** Events about what viewers watch. */
function webhookErrors({ vars, durable_objects }) {
  const errors = [];
  if (vars?.[WEBHOOK_SECRET] !== undefined) {
    errors.push(`${WEBHOOK_SECRET} is written in the configuration: take it out, make another, and set it with \`wrangler secret put ${WEBHOOK_SECRET}\``);
  }
  const url = vars?.WEBHOOK_URL;
  if (!url) return errors;
  if (!/^https:\/\/[^/@]/.test(url)) {
    errors.push(`WEBHOOK_URL is ${shown(url)}: events name viewers, so the endpoint needs TLS; write WEBHOOK_URL = "https://school.example/lectern"`);
  }
  if (!(durable_objects?.bindings ?? []).some(({ name }) => name === "LEDGERS")) {
    errors.push("WEBHOOK_URL is set and LEDGERS is not bound, so that there are no events: add [[durable_objects.bindings]] with name = \"LEDGERS\" and class_name = \"Ledger\", and its [[migrations]]");
  }
  return errors;
}

/** Addresses of the Worker: in production, only its own domain. */
function addressErrors(config, others, environment) {
  const errors = [];
  const routes = domains(config);
  const workersDev = config.workers_dev ?? routes.length === 0;
  const domain = 'routes = [{ pattern = "video.school.example", custom_domain = true }]';
  const trial = `without a domain, try it on workers.dev: \`make deploy ENV=${TRIAL}\``;
  if (workersDev && environment !== TRIAL) {
    errors.push(`workers_dev is true in production: the cache does not work there, and its address stays beside your own domain; write workers_dev = false and ${domain}; ${trial}`);
  } else if (!workersDev && routes.length === 0) {
    errors.push(`the Worker has no address: write ${domain} with a domain of your account; ${trial}`);
  }
  if (config.preview_urls ?? workersDev) {
    errors.push("preview_urls is true: an old version would go on serving with what its time held to be right; write preview_urls = false");
  }
  for (const other of others) {
    for (const route of domains(other).filter((route) => routes.includes(route))) {
      errors.push(`the domain "${route}" is also that of "${other.name}", and the next deploy would take it away: environments inherit routes; write routes = [] or another domain in each other environment`);
    }
  }
  return errors;
}

const domains = ({ routes, route }) => (routes ?? (route ? [route] : [])).map((one) => one.pattern ?? one);

/** Logs of the platform. They contain each URL, with links in queries and passes in some paths. */
function logErrors({ observability, logpush, tail_consumers, streaming_tail_consumers }) {
  const errors = [];
  if (logpush) errors.push("logpush is true: it sends the URL of each request, with links and passes, to another place; take it out");
  for (const [name, consumers] of Object.entries({ tail_consumers, streaming_tail_consumers })) {
    if (consumers?.length) errors.push(`${name} hands the URL of each request, with links and passes, to another Worker; take it out`);
  }
  if (!observability) {
    errors.push("there is no [observability], so that the account decides what is logged: write it as the shipped wrangler.toml has it, or with enabled = false");
    return errors;
  }
  const { enabled = false, redact_query_string, logs, traces } = observability;
  const hasLogs = logs?.enabled ?? enabled;
  if (!enabled && !hasLogs && !traces?.enabled) return errors;
  if (redact_query_string !== true) {
    errors.push("observability.redact_query_string is not true: the platform would log links (?token=…); write redact_query_string = true below [observability]");
  }
  if (hasLogs && logs?.invocation_logs !== false) {
    errors.push("observability.logs.invocation_logs is not false: the platform would log the path of each request, with the passes that some have (/~…/); write invocation_logs = false below [observability.logs]");
  }
  if (traces?.enabled !== false) {
    errors.push("observability.traces.enabled is not false: a trace has the path of its request, with the passes that some have (/~…/); write enabled = false below [observability.traces]");
  }
  return errors;
}

/** Parses as the Worker does: one entry, `*`, or unset. */
function isAnyOrigin(list) {
  const entries = (list ?? "*").split(",").map((entry) => entry.trim()).filter(Boolean);
  return entries.length === 1 && entries[0] === "*";
}

/**
 * @param {string} bucket its name
 * @param {{ buckets?: string[], secrets?: string[], jurisdiction?: string, target?: string, hasWebhook?: boolean }} account
 *   buckets and secrets of the account, undefined where the account did not answer, the bucket's jurisdiction, the options
 *   that name the Worker to wrangler, and whether WEBHOOK_URL is set
 */
export function accountErrors(bucket, { buckets, secrets, jurisdiction, target = "", hasWebhook = false }) {
  const errors = [];
  if (buckets && !buckets.includes(bucket)) {
    const place = jurisdiction ? ` --jurisdiction ${jurisdiction}` : "";
    errors.push(`the account has no bucket "${bucket}": \`wrangler r2 bucket create ${bucket}${place}\``);
  }
  if (secrets && !secrets.includes(KEYS)) {
    const command = `wrangler secret put ${KEYS} ${target}`.trim();
    errors.push(`the Worker has no ${KEYS}: \`lectern keys new > lectern-keys.json\` makes it, \`${command} < lectern-keys.json\` sets it`);
  }
  if (secrets && hasWebhook && !secrets.includes(WEBHOOK_SECRET)) {
    const command = `wrangler secret put ${WEBHOOK_SECRET} ${target}`.trim();
    errors.push(`WEBHOOK_URL is set and the Worker has no ${WEBHOOK_SECRET}, so that every answer would be misconfigured: \`echo "whsec_$(openssl rand -base64 32)" | ${command}\``);
  }
  return errors;
}

/**
 * @param {number} status of /_lectern/health
 * @param {object | undefined} health its body
 */
export function healthErrors(status, health) {
  if (status === 500) return ["the Worker says `misconfigured`: its log names the variable (`wrangler tail`)"];
  if (!health?.version) return [`/_lectern/health answers ${status} and says nothing about a version: is this the Worker?`];
  if (!health.bucket) return ["the Worker does not reach its bucket: check bucket_name and R2's status"];
  return [];
}

const shown = (value) => (value === undefined ? "missing" : `"${value}"`);
