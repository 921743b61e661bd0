#!/usr/bin/env bash
# Fails with a remedy if a local port is in use: port.sh PORT [VARIABLE]
set -euo pipefail
for address in 127.0.0.1 ::1; do
    if (exec 3<>"/dev/tcp/$address/$1") 2>/dev/null; then
        echo "port $1 is in use: stop its process, or choose another port with ${2:-PORT}=$(($1 + 1))" >&2
        exit 4
    fi
done
