#!/usr/bin/env bash
# Every check of CI, the fastest failures first. `make test` builds first.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { echo "==> $*"; }

step 'formatting'
cargo fmt --all --check
step 'types of the pages'
node_modules/.bin/tsc -p .
step 'lints, on the host'
cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
step 'lints, on wasm32'
cargo clippy --quiet --locked -p lectern --target wasm32-unknown-unknown -- -D warnings
step 'licences and sources of dependencies'
cargo-deny --log-level error --locked check licenses bans sources
step 'sizes'
node tools/size.mjs
step 'committed files'
tools/hygiene.sh
step 'deployment, pages and tools'
node --test --test-reporter=dot tools/*.test.mjs tools/deploy/*.test.mjs web/*.test.mjs
step 'sdks'
tools/sdks.sh
step 'tests'
LECTERN_REQUIRE_INTEROP=1 cargo test --quiet --locked --workspace
