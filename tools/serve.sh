#!/usr/bin/env bash
# The built Worker in workerd with a local bucket, in the foreground. PORT and STATE from the
# environment; options are those of `wrangler dev`. With a queue in wrangler.toml, the pull API for
# `lectern work` listens on PORT + 2.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dev-vars.sh
tools/port.sh "$PORT"
# wrangler's explorer accesses the bucket without a link, and its traces store each URL with its
# link.
export X_LOCAL_EXPLORER=false X_LOCAL_OBSERVABILITY=false
# A local course app on another port may read answers, whatever wrangler.toml allows in production.
dev=(node node_modules/wrangler/bin/wrangler.js dev --port "$PORT" --persist-to "$STATE"
    --var 'ALLOWED_ORIGINS:*' --inspector-port 0 --show-interactive-dev-session=false --log-level "${LOG_LEVEL:-log}" "$@")
grep -q '^binding = "JOBS"' wrangler.toml || exec "${dev[@]}"

pull=$((PORT + 2))
tools/port.sh "$pull"
mkdir -p .wrangler
sed -e "s|8789|$pull|" -e "s|^main = .*|main = \"$PWD/tools/queue/worker.mjs\"|" tools/queue/wrangler.toml >.wrangler/queue.toml
PORT=$pull node tools/queue/pull.mjs &
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 0' INT TERM
echo "==> lectern work http://localhost:$PORT/FROM/ http://localhost:$PORT/TO --queue http://127.0.0.1:$pull"
"${dev[@]}" --config wrangler.toml --config .wrangler/queue.toml &
wait -n
