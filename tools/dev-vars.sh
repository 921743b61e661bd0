#!/usr/bin/env bash
# Creates .dev.vars with a random key, if it does not exist: the secrets of local work, which git
# ignores.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! grep -qs '^LECTERN_KEYS=' .dev.vars; then
    umask 077
    target/debug/lectern keys new --kid local 2>/dev/null | sed "s/.*/LECTERN_KEYS='&'/" >>.dev.vars
    echo '==> made .dev.vars with a random key'
fi
