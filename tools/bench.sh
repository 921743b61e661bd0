#!/usr/bin/env bash
# Builds the benchmark's Worker as the Worker itself is built, and measures it beside its peer: `make bench [QUICK=1]`.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "==> building the benchmark's Worker"
(cd bench/edge && CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-../../target/bench} worker-build --release)
exec node bench/run.mjs "$@"
