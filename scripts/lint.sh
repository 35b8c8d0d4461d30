#!/usr/bin/env bash
# Runs clang-tidy with .clang-tidy over the *.cc files but the tests (their macros cost more time than they teach), or over
# those given, one process per CPU. Needs build/clang (scripts/build.sh clang).
#   scripts/lint.sh [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || mapfile -t files < <(find src -name '*.cc' ! -name '*_test.cc' | sort)
[ $# -eq 0 ] || files=("$@")
# clang-tidy counts the warnings that it hid in system headers; only what it found here is worth a line.
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p build/clang 2> >(grep -v 'warnings\? generated\.$' >&2 || true)
