#!/usr/bin/env bash
# The built Worker in workerd with a local bucket, in the foreground. PORT, STATE and CONFIG from the
# environment; options are those of `wrangler dev`. With a queue in CONFIG, the pull API for
# `lectern work` listens on PORT + 2.
set -euo pipefail
cd "$(dirname "$0")/.."
config=${CONFIG:-wrangler.toml}
. tools/await.sh

tools/dev-vars.sh
tools/port.sh "$PORT"
# wrangler's explorer accesses the bucket without a link, and its traces store each URL with its
# link.
export X_LOCAL_EXPLORER=false X_LOCAL_OBSERVABILITY=false
# A local course app on another port may read answers, whatever CONFIG allows in production.
dev=(node node_modules/wrangler/bin/wrangler.js dev --port "$PORT" --persist-to "$STATE"
    --var 'ALLOWED_ORIGINS:*' --inspector-port 0 --show-interactive-dev-session=false --log-level "${LOG_LEVEL:-log}" "$@")
edge=http://localhost:$PORT
lectern=target/debug/lectern
next="$lectern ship lecture.mp4 $edge/courses/intro/"

# The value of a top-level variable or of a binding, in quotes.
setting() { sed -n "s/^$1 = \"\(.*\)\".*/\1/p" "$config" | head -n 1; }

# wrangler looks for .dev.vars beside CONFIG.
[ "$config" = wrangler.toml ] || dev+=(--env-file "$PWD/.dev.vars")

trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 0' INT TERM
if grep -q '^binding = "JOBS"' "$config"; then
    pull=$((PORT + 2))
    tools/port.sh "$pull"
    mkdir -p .wrangler
    queue=$(setting queue)
    uploads=$(setting UPLOADS_PREFIX)
    sed -e "s|8789|$pull|" -e "s|lectern-jobs|${queue:-lectern-jobs}|" \
        -e "s|^main = .*|main = \"$PWD/tools/queue/worker.mjs\"|" tools/queue/wrangler.toml >.wrangler/queue.toml
    PORT=$pull node tools/queue/pull.mjs &
    dev+=(--config "$config" --config .wrangler/queue.toml)
    if [ -n "$uploads" ]; then
        next="$lectern work $edge/${uploads%/}/ $edge/courses --queue http://127.0.0.1:$pull
          and in another terminal: $lectern upload lecture.mp4 $edge/${uploads%/}/"
    else
        next="set UPLOADS_PREFIX in $config, so that uploads reach the queue"
    fi
elif [ "$config" != wrangler.toml ]; then
    dev+=(--config "$config")
fi
"${dev[@]}" &
server=$!

# wrangler prints several lines until it serves: these come last.
waited=0
await_edge "$edge" "$server" || waited=$?
if [ "$waited" = 0 ]; then
    # wrangler logs this request a moment later.
    sleep 1
    cat <<TEXT

address:  $edge, with its bucket in $STATE; ^C ends it
keys:     in .dev.vars; in this folder, lectern reads them there (apps: eval "\$($lectern keys env)")
next:     $next
TEXT
elif [ "$waited" = 2 ]; then
    echo "the lines above say why; correct $config or .dev.vars, and start it again" >&2
fi
wait -n
