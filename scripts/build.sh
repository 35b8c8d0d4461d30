#!/usr/bin/env bash
# Configures and builds a preset of CMakePresets.json into build/PRESET.
#   scripts/build.sh [PRESET [TARGET...]]      default: release, everything
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${1:-release}
shift || true
cmake --preset "$preset" --log-level=WARNING >/dev/null
cmake --build "build/$preset" ${1:+--target "$@"}
