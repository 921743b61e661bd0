#!/usr/bin/env bash
# Runs each fuzz target for a limited time: tools/fuzz.sh [seconds-per-target] [target …]. A crash
# ends the run. .tools/fuzz/<target>/ keeps its input in artifacts/, and the growing corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(json object_key link pass watched revocations uploads steering playlist base_url checked_playlist range storyboard readings linear bounded)
work=$PWD/.tools/fuzz
playlists=${LECTERN_PLAYLISTS:-../shared/playlists}
triple=$(rustc -vV | sed -n 's/^host: //p')
build=${CARGO_TARGET_DIR:-$work}/fuzz-build
export PATH="$PWD/.tools/bin:$PATH"

# A sanitizer needs options of a nightly compiler, or of a stable one with RUSTC_BOOTSTRAP (The
# Unstable Book).
toolchain=(+nightly)
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo '    no nightly Rust: fuzzing with the stable one (RUSTC_BOOTSTRAP=1)'
    toolchain=()
    export RUSTC_BOOTSTRAP=1
fi
if ! command -v cargo-fuzz >/dev/null; then
    echo '==> installing cargo-fuzz 0.13.2 from crates.io (a minute, once)'
    cargo install --quiet --root .tools --target-dir .tools/target cargo-fuzz@0.13.2
    rm -rf .tools/target
fi

mkdir -p "$work"
echo '==> building the fuzz targets'
cargo "${toolchain[@]}" fuzz build --target-dir "$build" 2>"$work/build.log" || { cat "$work/build.log" >&2; exit 1; }

# Copies every playlist under its hash, so that duplicates count once.
seed_playlists() {
    local playlist
    for playlist in tests/playlists/*/in.m3u8; do
        cp "$playlist" "$1/$(sha1sum <"$playlist" | cut -c-16)"
    done
    if [ ! -d "$playlists" ]; then
        echo "    no public playlists in $playlists: fuzzing without them"
        return
    fi
    find "$playlists" -name '*.m3u8' -print0 | while IFS= read -r -d '' playlist; do
        cp --no-preserve=mode "$playlist" "$1/$(sha1sum <"$playlist" | cut -c-16)"
    done
}

for target in "${targets[@]}"; do
    echo "==> fuzzing $target for $seconds s"
    mkdir -p "$work/$target/corpus" "$work/$target/seeds" "$work/$target/artifacts"
    cp fuzz/seeds/"$target"/* "$work/$target/seeds/"
    limits=()
    if [ "$target" = playlist ]; then
        seed_playlists "$work/$target/seeds"
        limits=(-max_len=8192)
    elif [ "$target" = checked_playlist ] || [ "$target" = steering ]; then
        seed_playlists "$work/$target/seeds"
        limits=(-max_len=4096 -dict=fuzz/playlists.dict)
    elif [ "$target" = storyboard ]; then
        for board in tests/storyboards/*/in.vtt; do
            cp "$board" "$work/$target/seeds/$(sha1sum <"$board" | cut -c-16)"
        done
        limits=(-max_len=4096)
    elif [ "$target" = readings ]; then
        seed_playlists "$work/$target/seeds"
        cp tests/storyboards/*/in.vtt "$work/$target/seeds/" 2>/dev/null || true
        limits=(-max_len=4096 -dict=fuzz/playlists.dict)
    elif [ "$target" = linear ] || [ "$target" = bounded ]; then
        # Units are short.
        limits=(-max_len=1024 -dict=fuzz/playlists.dict)
    fi
    if ! "$build/$triple/release/$target" "$work/$target/corpus" "$work/$target/seeds" \
        -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 "${limits[@]}" \
        -artifact_prefix="$work/$target/artifacts/" -print_final_stats=1 >"$work/$target/log" 2>&1; then
        grep -A 4 -E 'panicked at|^==[0-9]+== ?ERROR' "$work/$target/log" >&2 || tail -n 20 "$work/$target/log" >&2
        echo "$target: a crash; its input is in .tools/fuzz/$target/artifacts/" >&2
        exit 1
    fi
    grep -E '^stat::number_of_executed_units' "$work/$target/log" | sed 's/^stat::number_of_executed_units: */    executions: /'
done
