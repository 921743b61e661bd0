#!/usr/bin/env bash
# Nothing that is committed names a folder of somebody's machine, and no secret is committed.
set -euo pipefail
cd "$(dirname "$0")/.."
git rev-parse --git-dir >/dev/null 2>&1 || { echo 'no git here: skipped'; exit 0; }
if git grep -nIE '(^|[^A-Za-z0-9_.$})-])/(root|work|home/[a-z]+|Users/[a-z]+)/' -- ':!*.lock' ':!tools/hygiene.sh'; then
    echo 'these name a folder of a machine' >&2
    exit 1
fi
if git ls-files | grep -E '(^|/)\.dev\.vars'; then
    echo 'secrets are committed' >&2
    exit 1
fi
