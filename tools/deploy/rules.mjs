// What must be right before the Worker may be deployed. Pure: facts in, complaints out.

const KEYS = "LECTERN_KEYS";

/**
 * @param {object} config one environment of wrangler.toml, as wrangler reads it
 * @param {object[]} others the file's other environments
 * @returns {string[]} what is wrong, each with what to do
 */
export function configurationErrors(config, others = []) {
  const errors = [];
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
    if (name === KEYS || /"secret"\s*:/.test(String(value))) {
      errors.push(`${name} is written in wrangler.toml: take it out, replace those keys, and set them with \`wrangler secret put ${KEYS}\``);
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
  if (!config.compatibility_date) errors.push("compatibility_date is missing");
  return errors;
}

/**
 * @param {string} bucket its name
 * @param {{ buckets: string[], secrets: string[] }} account what the account has
 */
export function accountErrors(bucket, { buckets, secrets }) {
  const errors = [];
  if (!buckets.includes(bucket)) {
    errors.push(`the account has no bucket "${bucket}": \`wrangler r2 bucket create ${bucket}\``);
  }
  if (!secrets.includes(KEYS)) {
    errors.push(`the Worker has no ${KEYS}: \`lectern keys new\` makes it, \`wrangler secret put ${KEYS}\` sets it`);
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
