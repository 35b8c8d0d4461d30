#!/usr/bin/env bash
# Looks for tests that share a path, and runs clang-tidy with .clang-tidy over all code but the tests (their macros cost
# more time than they teach), or over the files given, one process per CPU. Clang's own warnings count as errors, too.
# All means the unity files of the preset "clang", a folder's sources each: most of the time goes into headers.
#   scripts/lint.sh [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tests run side by side: what they write has a path that no other process is given.
if grep -rnE 'TempDir\(\)\) */|temp_directory_path' src --include='*_test.cc' --include='*_for_tests.h' --exclude=temporary_path_for_tests.h; then
  echo "lint.sh: a test's files are in test::temporary_path()" >&2
  exit 1
fi

cmake --preset clang --log-level=WARNING >/dev/null

files=("$@")
if [ $# -eq 0 ]; then
  commands=build/clang/compile_commands.json
  mapfile -t files < <(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' "$commands" | grep -v /generated/ | sort -u)
fi
# clang-tidy counts the warnings that it hid in system headers; only what it found here is worth a line.
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet --checks=-bugprone-suspicious-include --header-filter="/(src|include/layerboost)/" -p build/clang 2> >(grep -v 'warnings\? generated\.$' >&2 || true)
