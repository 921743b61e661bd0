#!/usr/bin/env bash
# From nothing to a lecture that plays: `make demo [INPUT=lecture.mov] [PORT=8787]`. What is done is not done again.
set -euo pipefail
PORT=${PORT:-8787} STATE=${STATE:-.wrangler/state}
# INPUT is relative to where `make` was called, which is the project's folder.
cd "$(dirname "$0")/.."
lectern=target/release/lectern
origin=http://localhost:$PORT
mkdir -p .demo
# Before the minutes of packaging, not after.
tools/port.sh "$PORT"
if [ -n "${INPUT:-}" ] && [ ! -f "$INPUT" ]; then
    echo "there is no file $INPUT: INPUT is relative to the project's folder" >&2
    exit 3
fi

input=${INPUT:-.demo/sample.mp4}
if [ -z "${INPUT:-}" ] && [ ! -f "$input" ]; then
    tools/install.sh voice
    echo '==> making a sample lecture'
    "$lectern" sample -o .demo/sample.partial.mp4 >/dev/null
    mv .demo/sample.partial.mp4 "$input"
fi
# A name that is safe in a path, from the file's.
name=$(basename "${input%.*}" | tr -c 'A-Za-z0-9._\n-' '-')
package=.demo/packages/$name

echo "==> packaging $input"
mkdir -p .demo/packages
"$lectern" package "$input" -o "$package" --force >/dev/null

echo "==> starting the Worker on $origin"
PORT=$PORT STATE=$STATE LOG_LEVEL=warn tools/serve.sh >.demo/serve.log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM
for _ in $(seq 300); do
    kill -0 "$server" 2>/dev/null || { cat .demo/serve.log >&2; exit 4; }
    if [ "$(curl -s -o /dev/null -w '%{http_code}' "$origin/_lectern/health")" = 200 ]; then break; fi
    sleep 0.1
done

echo '==> publishing it into the local bucket'
"$lectern" publish "$package" "$origin/demo/$name/" >/dev/null

master=$origin/demo/$name/master.m3u8
link=$("$lectern" link "$master" --for 6h)
cat <<TEXT

1. A page that plays it:
   $origin/_lectern/play#${link#"$origin"}

2. The bare link, for ffplay, VLC or Safari:
   $link

3. The same link expired, to see the refusal:
   $("$lectern" link "$master" --expires-at 2026-01-01T00:00:00Z 2>/dev/null)

The links open for six hours. ^C ends the demo.
TEXT
wait "$server"
