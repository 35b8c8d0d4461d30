#!/usr/bin/env bash
# Runs clang-tidy with .clang-tidy over the *.cc files but the tests (their macros cost more time than they teach), or over
# those given, one process per CPU. Clang's own warnings count as errors, too.
#   scripts/lint.sh [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cmake --preset clang --log-level=WARNING >/dev/null

[ $# -gt 0 ] || mapfile -t files < <(find src -name '*.cc' ! -name '*_test.cc' | sort)
[ $# -eq 0 ] || files=("$@")
# clang-tidy counts the warnings that it hid in system headers; only what it found here is worth a line.
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p build/clang 2> >(grep -v 'warnings\? generated\.$' >&2 || true)
