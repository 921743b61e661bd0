#!/usr/bin/env bash
# Archives of `lectern` in dist/: dist.sh [TARGET …]. On Linux, static binaries for x86-64 and arm64;
# elsewhere, a binary for this machine. Each has completions and manual pages, and SHA256SUMS
# lists all.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
version=$(cargo metadata --format-version 1 --no-deps --locked | grep -o '"name":"lectern-packager","version":"[^"]*"' | cut -d'"' -f8)
if [ "$(uname -s)" = Linux ]; then
    default=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl)
    build=zigbuild
    export PATH=$PWD/.tools/zig/bin:$PATH
else
    default=("$host")
    build=build
fi
targets=("$@")
[ $# -gt 0 ] || targets=("${default[@]}")
# The commit's time, so that two machines make the same archive.
when=$(git log -1 --format=%ct 2>/dev/null || echo 0)

rm -rf dist
mkdir -p dist/common/completions
lectern=target/debug/lectern
for shell in bash elvish fish powershell zsh; do
    "$lectern" completions "$shell" >"dist/common/completions/lectern.$shell"
done
"$lectern" man dist/common/man
cp README.md LICENSE-APACHE LICENSE-MIT dist/common/

for target in "${targets[@]}"; do
    if ! rustc --print target-libdir --target "$target" 2>/dev/null | xargs -r test -d; then
        echo "==> adding the target $target"
        rustup --quiet target add "$target" || {
            echo "there is no Rust library for $target: install it with rustup, or name other targets with TARGETS=" >&2
            exit 4
        }
    fi
    echo "==> building lectern $version for $target (minutes)"
    cargo "$build" $([ -t 2 ] || echo --quiet) --release --locked -p lectern-packager --target "$target"
    name=lectern-$version-$target
    mkdir "dist/$name"
    cp -R dist/common/. "dist/$name/"
    cp "target/$target/release/lectern" "dist/$name/"
    if tar --version 2>/dev/null | grep -q GNU; then
        tar -C dist --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
    else
        tar -C dist -czf "dist/$name.tar.gz" "$name"
    fi
    rm -rf "dist/${name:?}"
done
rm -rf dist/common
(cd dist && { sha256sum ./*.tar.gz 2>/dev/null || shasum -a 256 ./*.tar.gz; } | sed 's|\./||' >SHA256SUMS && cat SHA256SUMS)
