#!/usr/bin/env bash
# Fails, saying what to do, where something listens on a port of this machine already: port.sh PORT [VARIABLE]
set -euo pipefail
for address in 127.0.0.1 ::1; do
    if (exec 3<>"/dev/tcp/$address/$1") 2>/dev/null; then
        echo "port $1 is in use: end what listens there, or choose another one with ${2:-PORT}=$(($1 + 1))" >&2
        exit 4
    fi
done
