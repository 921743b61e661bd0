#!/usr/bin/env bash
# A local edge under load: tools/soak.sh [seconds]. .demo/soak/ keeps the package.
set -euo pipefail
cd "$(dirname "$0")/.."
lectern=target/debug/lectern
package=.demo/soak/package

if [ ! -f "$package/master.m3u8" ]; then
    tools/install.sh voice
    echo '==> making and packaging a sample lecture'
    mkdir -p .demo/soak
    "$lectern" sample --seconds 40 -o .demo/soak/sample.mp4 >/dev/null
    "$lectern" package .demo/soak/sample.mp4 -o "$package" --force >/dev/null
fi
exec node bench/soak.mjs --seconds "${1:-600}" --package "$package"
