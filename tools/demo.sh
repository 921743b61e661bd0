#!/usr/bin/env bash
# Packages and plays a lecture: `make demo [INPUT=lecture.mov] [PORT=8787]`. Finished steps are
# skipped.
set -euo pipefail
PORT=${PORT:-8787} STATE=${STATE:-.wrangler/state}
# INPUT is relative to the project's folder.
cd "$(dirname "$0")/.."
. tools/local.sh
mkdir -p .demo
# Checked before the minutes of packaging.
tools/port.sh "$PORT"
if [ -n "${INPUT:-}" ] && [ ! -f "$INPUT" ]; then
    echo "there is no file $INPUT: INPUT is relative to the project's folder" >&2
    exit 3
fi

input=${INPUT:-.demo/sample.mp4}
[ -n "${INPUT:-}" ] || sample "$input" 60
# A name that is safe in a path, from that of the file.
name=$(basename "${input%.*}" | tr -c 'A-Za-z0-9._\n-' '-')
package "$input" ".demo/packages/$name"

trap '{ kill $(jobs -p); wait; } 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM
start_edge
publish ".demo/packages/$name" "/demo/$name/"

master=$origin/demo/$name/master.m3u8
link=$("$lectern" link "$master" --for 6h)
cat <<TEXT

1. A page that plays it:
   $origin/_lectern/play#${link#"$origin"}

2. The bare link, for ffplay, VLC or Safari:
   $link

3. The same link expired, to see the refusal:
   $("$lectern" link "$master" --expires-at 2026-01-01T00:00:00Z 2>/dev/null)

4. For links of your own, in this folder (docs/mint.md):
   export LECTERN_EDGE=$origin
   eval "\$(target/debug/lectern keys env)"

The links open for six hours. ^C ends the demo.
TEXT
wait "$server"
