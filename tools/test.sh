#!/usr/bin/env bash
# Every check of CI, the fastest first. `make test` builds first. Each check runs, whether or not an earlier one failed,
# and the failed ones are listed at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=()
check() {
    local name=$1 began=$SECONDS
    shift
    echo "==> $name"
    "$@" || failed+=("$name")
    echo "    $((SECONDS - began)) s"
}

check 'formatting' cargo fmt --all --check
check 'types of the pages' node_modules/.bin/tsc -p .

# The SDKs' tests mostly wait for servers and browsers, so they run beside the compiler.
sdks_log=$(mktemp)
tools/sdks.sh >"$sdks_log" 2>&1 &
sdks=$!
trap 'kill "$sdks" 2>/dev/null; rm -f "$sdks_log"' EXIT
trap 'exit 130' INT TERM
finish_sdks() {
    local ended
    wait "$sdks"
    ended=$?
    cat "$sdks_log"
    return "$ended"
}

check 'lints, on the host' cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
check 'lints, on wasm32' cargo clippy --quiet --locked -p lectern --target wasm32-unknown-unknown -- -D warnings
check 'licences and sources of dependencies' cargo-deny --log-level error --locked check licenses bans sources
check 'sizes' node tools/size.mjs
check 'committed files' tools/hygiene.sh
check 'deployment, pages and tools' \
    node --test --test-reporter=dot tools/*.test.mjs tools/deploy/*.test.mjs web/*.test.mjs
check 'tests, compiled' cargo test --quiet --locked --workspace --no-run
check 'sdks, started after the types of the pages' finish_sdks

# A browser or a runtime sometimes fails beside others. Up to three end-to-end tests may run again,
# alone; their names are printed, so that such failures are seen.
MAX_REPEATED=3
run_tests() {
    local log failed_targets names
    log=$(mktemp)
    if cargo test --quiet --locked --workspace --no-fail-fast 2>&1 | tee "$log"; then
        rm -f "$log"
        return 0
    fi
    failed_targets=$(grep -c '^    `' "$log")
    mapfile -t names < <(sed -n 's/^\([a-z_:0-9]*\) --- FAILED$/\1/p' "$log" | sort -u)
    if ! grep -q '^    `-p lectern --test e2e`$' "$log" || [ "$failed_targets" != 1 ] ||
        [ ${#names[@]} = 0 ] || [ ${#names[@]} -gt $MAX_REPEATED ]; then
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
    printf '==> again, alone: %s\n' "${names[@]}"
    cargo test --quiet --locked --workspace --test e2e -- --exact --test-threads=1 "${names[@]}"
}
export LECTERN_REQUIRE_INTEROP=1
check 'tests' run_tests

if [ ${#failed[@]} -gt 0 ]; then
    printf 'failed: %s\n' "${failed[@]}"
    exit 1
fi
