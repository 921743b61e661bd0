#!/usr/bin/env bash
# The built Worker in workerd with a local bucket, in the foreground. PORT and STATE from the environment.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/dev-vars.sh
if (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then
    echo "port $PORT is in use: end what listens there, or choose another one with PORT=8788" >&2
    exit 4
fi
exec node node_modules/wrangler/bin/wrangler.js dev --port "$PORT" --ip 127.0.0.1 --persist-to "$STATE" \
    --inspector-port 0 --show-interactive-dev-session=false --log-level "${LOG_LEVEL:-log}"
