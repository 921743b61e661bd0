#!/usr/bin/env bash
# Builds the Worker of a crate: tools/worker.sh [FOLDER]. FOLDER/entry.mjs is the platform's entry;
# FOLDER/build/ gets `index.js` and `index_bg.wasm`. Four steps: cargo, wasm-bindgen, wasm-opt,
# esbuild.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "${1:-$root}"
name=$(sed -n '/^\[package\]/,/^\[/s/^name = "\(.*\)"/\1/p' Cargo.toml | tr - _)
target=${CARGO_TARGET_DIR:-$root/target}
made=$target/worker/$name

quiet=(--quiet)
[ -t 2 ] && quiet=()
cargo build "${quiet[@]}" --profile worker --locked --lib --target wasm32-unknown-unknown --target-dir "$target"
rm -rf "$made"
# A panic leaves memory inconsistent, so the next request gets a new instance.
wasm-bindgen --target module --no-typescript --out-dir "$made" --out-name index \
    --experimental-reset-state-function --force-enable-abort-handler \
    "$target/wasm32-unknown-unknown/worker/$name.wasm"
wasm-opt -Oz --one-caller-inline-max-function-size 1 --all-features --strip-debug --strip-producers --strip-target-features \
    "$made/index_bg.wasm" -o "$made/index_bg.wasm"
# The platform imports wasm like any module; only later standards require its source.
sed -i 's/^import source /import /' "$made/index.js"
cp entry.mjs "$made/entry.mjs"
esbuild "$made/entry.mjs" --bundle --minify --format=esm --external:./index_bg.wasm --outfile="$made/bundle.js" --log-level=warning
mkdir -p build
cp "$made/index_bg.wasm" build/index_bg.wasm
# Last, because make compares its time.
cp "$made/bundle.js" build/index.js
