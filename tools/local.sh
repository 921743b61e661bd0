# Functions to play a lecture locally; `. tools/local.sh` in the project's folder. PORT and STATE
# from the environment.
lectern=target/debug/lectern
origin=http://localhost:$PORT
. tools/await.sh

# Creates a sample lecture once: sample FILE SECONDS
sample() {
    [ -f "$1" ] && return
    tools/install.sh voice
    echo "==> making a sample lecture of $2 s"
    mkdir -p "$(dirname "$1")"
    "$lectern" sample --seconds "$2" -o "${1%.mp4}.partial.mp4" >/dev/null
    mv "${1%.mp4}.partial.mp4" "$1"
}

# package INPUT FOLDER
package() {
    echo "==> packaging $1"
    mkdir -p "$(dirname "$2")"
    "$lectern" package "$1" -o "$2" --force >/dev/null
}

# Starts the Worker, as `$server`, and waits until it answers.
start_edge() {
    echo "==> starting the Worker on $origin"
    PORT=$PORT STATE=$STATE LOG_LEVEL=warn tools/serve.sh >.demo/serve.log 2>&1 &
    server=$!
    await_edge "$origin" "$server" || {
        echo '.demo/serve.log says:' >&2
        tail -n 20 .demo/serve.log >&2
        exit 4
    }
}

# publish FOLDER PREFIX
publish() {
    echo "==> publishing $2"
    "$lectern" publish --quiet "$1" "$origin$2" >/dev/null
}
