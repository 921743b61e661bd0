#!/usr/bin/env bash
# Committed files contain no local folder and no secret, and follow the rules for prose and type names.
set -euo pipefail
cd "$(dirname "$0")/.."
git rev-parse --git-dir >/dev/null 2>&1 || { echo 'no git: skipped'; exit 0; }
if git grep -nIE '(^|[^A-Za-z0-9_.$})-])/(root|work|home/[a-z]+|Users/[a-z]+)/' -- ':!*.lock' ':!tools/hygiene.sh'; then
    echo 'these lines contain a local folder: use a relative path' >&2
    exit 1
fi
if git ls-files | grep -E '(^|/)\.dev\.vars'; then
    echo 'these files contain secrets: remove them from the repository' >&2
    exit 1
fi
node tools/prose.mjs
