# A function that waits for a local edge; `. tools/await.sh`. SILENCE from the environment: seconds
# without progress after which it gives up.

# CPU times of a process and its descendants.
process_times() {
    ps -A -o pid=,ppid=,time= | awk -v root="$1" '
        { parent[$1] = $2; time[$1] = $3 }
        END {
            for (pid in parent) {
                up = pid
                for (steps = 0; up != root && up in parent && steps < 64; steps++) up = parent[up]
                if (up == root) print pid, time[pid]
            }
        }' | sort
}

# Waits until the edge is healthy, as long as its server makes progress: await_edge ORIGIN PID
# Returns 1 if the server ended, 2 if the edge answers with an error, which is shown, and 3 if the
# server neither answers nor works.
await_edge() {
    local origin=$1 server=$2 answer status errors=0 before='' now since=$SECONDS code=1
    answer=$(mktemp)
    while kill -0 "$server" 2>/dev/null; do
        status=$(curl -s --max-time 10 -o "$answer" -w '%{http_code}' "$origin/_lectern/health") || true
        case $status in
        200) code=0 && break ;;
        000) errors=0 ;;
        # A server that starts may answer one request with an error.
        *) errors=$((errors + 1)) ;;
        esac
        if [ "$errors" -ge 2 ]; then
            echo "the edge on $origin answers $status: $(head -c 1000 "$answer")" >&2
            code=2 && break
        fi
        now=$(process_times "$server")
        if [ "$now" != "$before" ]; then
            before=$now since=$SECONDS
        elif [ $((SECONDS - since)) -ge "${SILENCE:-60}" ]; then
            echo "the edge on $origin does not answer, and its server does nothing" >&2
            code=3 && break
        fi
        sleep 0.5
    done
    rm -f "$answer"
    return "$code"
}
