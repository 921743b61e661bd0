#!/usr/bin/env bash
# The built Worker in workerd with a local bucket, in the foreground. PORT and STATE from the environment.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dev-vars.sh
tools/port.sh "$PORT"
exec node node_modules/wrangler/bin/wrangler.js dev --port "$PORT" --persist-to "$STATE" \
    --inspector-port 0 --show-interactive-dev-session=false --log-level "${LOG_LEVEL:-log}"
