#!/usr/bin/env bash
# Tests every edition of the SDK: sdk/vectors.json, its types, its package, the guides, and the
# example that mints with one. A missing language fails the run.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for pair in ruby=ruby node=nodejs python3=python3 php=php-cli composer=composer go=golang-go; do
    command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
    echo "An SDK cannot be tested: install its language, apt-get install ${missing[*]}" >&2
    exit 4
fi
[ -x .tools/venv/bin/mypy ] || { echo 'mypy is missing: make .tools/sdk.ok' >&2; exit 4; }
# Nothing is fetched: the SDKs use the standard library only.
export GOCACHE=$PWD/.tools/go GOPROXY=off GOFLAGS=-mod=mod GOTOOLCHAIN=local PYTHONDONTWRITEBYTECODE=1 CGO_ENABLED=0

quietly() {
    local said
    said=$("$@" 2>&1) || { echo "$said" >&2; echo "failed: $*" >&2; exit 1; }
}
quietly ruby -W -I sdk/ruby/lib sdk/ruby/test/vectors_test.rb
quietly ruby -I sdk/ruby/lib sdk/ruby/test/rails_test.rb
quietly node --test sdk/javascript/*.test.js tests/sdks/*.test.mjs
(cd sdk/python && quietly python3 -W error -m unittest)
quietly .tools/venv/bin/mypy --strict --cache-dir .tools/mypy sdk/python/lectern sdk/python/typed.py
quietly php -d zend.assertions=1 sdk/php/test.php
(cd sdk/go && quietly go vet . && quietly go test .)
[ -z "$(gofmt -l sdk/go tests/sdks)" ] || { echo 'not formatted: gofmt -w sdk/go tests/sdks' >&2; exit 1; }
quietly node --test tests/docs/*.test.mjs
quietly ruby -W0 examples/course-app/test/app_test.rb
