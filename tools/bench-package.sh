#!/usr/bin/env bash
# Measures `lectern package` beside its peers: `make bench-package [QUICK=1]`.
set -euo pipefail
cd "$(dirname "$0")/.."

vmaf=$(.tools/vmaf/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
exec python3 bench/package.py --lectern "${CARGO_TARGET_DIR:-target}/release/lectern" --vmaf-ffmpeg "$vmaf" "$@"
