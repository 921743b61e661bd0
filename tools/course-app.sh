#!/usr/bin/env bash
# The example course app beside a local edge with two sample lectures, and a packager of what its
# teachers submit: `make course-app [APP_PORT=3000] [PORT=8787]`. The packager's queue has PORT + 2.
set -euo pipefail
PORT=${PORT:-8787} APP_PORT=${APP_PORT:-3000} STATE=${STATE:-.wrangler/state}
cd "$(dirname "$0")/.."
. tools/local.sh
mkdir -p .demo
tools/port.sh "$PORT"
tools/port.sh "$APP_PORT" APP_PORT
tools/port.sh "$((PORT + 2))"

sample .demo/lesson-1.mp4 40
sample .demo/lesson-2.mp4 24
package .demo/lesson-1.mp4 .demo/packages/lesson-1
package .demo/lesson-2.mp4 .demo/packages/lesson-2

# As docs/scaling.md says: teachers upload and record below `lectures/`, where students watch.
export CONFIG=.demo/course-app.toml
sed -E -e 's/^# (\[\[queues\.producers|binding = "JOBS"|queue = )/\1/' -e 's|^(UPLOADS_PREFIX) = ""|\1 = "lectures/"|' \
    -e "s|\"build/index.js\"|\"$PWD/build/index.js\"|" -e "s|\"web/dist\"|\"$PWD/web/dist\"|" wrangler.toml >"$CONFIG"

# The packager returns its job to the queue, which needs the edge.
end_all() {
    [ -z "${worker:-}" ] || { kill "$worker" && wait "$worker"; }
    kill $(jobs -p)
    wait
}
trap 'end_all 2>/dev/null || true' EXIT
trap 'exit 0' INT TERM
start_edge
publish .demo/packages/lesson-1 /courses/rails/intro/
publish .demo/packages/lesson-2 /courses/rails/models/
publish .demo/packages/lesson-1 /courses/video/segments/
# Samples for the error pages: a lecture that is not a lesson, and a running broadcast, of which
# only playlists are read.
publish .demo/packages/lesson-2 /samples/lecture/
upload=$("$lectern" link "$origin/samples/broadcast/" --use upload)
for name in 480p.m3u8 master.m3u8; do
    curl --silent --show-error --fail --upload-file "examples/course-app/broadcast/$name" "${upload/\/broadcast\//\/broadcast\/$name}" >/dev/null
done

"$lectern" work "$origin/lectures/" "$origin/lectures" --queue "http://127.0.0.1:$((PORT + 2))" \
    --instant --pause 2s --temp-dir .demo/work >.demo/work.log 2>&1 &
worker=$!

# As in docs/local.md: the app gets the keys and the address of the edge.
eval "$("$lectern" keys env)"
export LECTERN_EDGE=$origin
puma --quiet --environment production --bind "tcp://localhost:$APP_PORT" examples/course-app/config.ru >.demo/course-app.log 2>&1 &
app=$!
for _ in $(seq 100); do
    kill -0 "$app" 2>/dev/null || { cat .demo/course-app.log >&2; exit 4; }
    if curl -s -o /dev/null "http://localhost:$APP_PORT/"; then break; fi
    sleep 0.1
done
cat <<TEXT

The course app: http://localhost:$APP_PORT/
ada, full-of-lessons: a full account. tom, only-trying: a trial account.
ruth, plenty-of-chalk: a teacher, who submits and records lectures.

examples/course-app/README.md says what to look at. ^C ends app, edge and packager.
TEXT
ended=0
wait -n "$app" "$server" "$worker" || ended=$?
if ! kill -0 "$worker" 2>/dev/null; then
    echo 'the packager has ended; .demo/work.log says:' >&2
    tail -n 20 .demo/work.log >&2
fi
exit "$ended"
