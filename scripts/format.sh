#!/usr/bin/env bash
# Formats all C++ files in place; with --check only names those that would change, and fails if there are any.
#   scripts/format.sh [--check]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(-i)
[ "${1:-}" != --check ] || mode=(--dry-run -Werror)
find src include examples bench fuzz -name '*.cc' -print0 -o -name '*.h' -print0 | xargs -0 clang-format "${mode[@]}"
