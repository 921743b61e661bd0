#!/usr/bin/env bash
# Builds the benchmark's Worker as the Worker itself is built, and measures it beside its peer: `make bench [QUICK=1]`.
set -euo pipefail
cd "$(dirname "$0")/.."

# Cargo reads these from the outermost workspace only, so both files have them.
settings() { sed -n '/^\[profile.worker\]/,$p' "$1"; }
if ! diff <(settings Cargo.toml) <(settings bench/edge/Cargo.toml); then
    echo 'bench/edge/Cargo.toml has another profile of the Worker than Cargo.toml: copy it, from [profile.worker] on' >&2
    exit 1
fi
echo "==> building the benchmark's Worker"
tools/worker.sh bench/edge
exec node bench/run.mjs "$@"
