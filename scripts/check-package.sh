#!/usr/bin/env bash
# Installs a build into a folder of its own, as a user would, and looks at what is there: the program and its data, a
# manual page and a completion that can be read, and the example, built against the library and run with the default
# model. Exit code 77 (skipped) where that model isn't there.
#   scripts/check-package.sh BUILD      such as: scripts/check-package.sh build/release
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
give_up() {
  echo "check-package: $1" >&2
  exit 1
}

cmake --install "$build" --prefix "$work/made" >/dev/null
mv "$work/made" "$work/moved" # nothing may know where it was installed
prefix=$work/moved
cd "$work"

version=$(sed -n 's/^project(layerboost VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")
[ "$("$prefix/bin/layerboost" --version)" = "layerboost $version" ] || give_up "the program isn't version $version"
for file in "$prefix/bin/layerboost" "$prefix"/lib*/liblayerboost.so "$prefix"/lib/*/liblayerboost.so; do
  [ ! -e "$file" ] || ! grep -q -a -F "$source" "$file" || give_up "$file knows the source's folder"
done
page=$(find "$prefix" -name layerboost.1)
for command in boost serve pull; do
  grep -q "^\.SS layerboost $command " "$page" || give_up "the manual page lacks $command"
done
if command -v man >/dev/null; then
  warnings=$(MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
  [ -z "$warnings" ] || give_up "the manual page: $warnings"
fi
completion=$(find "$prefix" -path '*/completions/layerboost')
complete_words() { # WORD...: what the last of the words can become
  bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _layerboost; echo "${COMPREPLY[*]}"' "$completion" "$@"
}
[ "$(complete_words layerboost expo)" = export ] || give_up "bash doesn't complete commands"
[ "$(complete_words layerboost serve --api-)" = --api-key ] || give_up "bash doesn't complete flags"
[ -z "$(complete_words layerboost serve mod)" ] || give_up "bash doesn't leave files to itself"

cmake -S "$source/examples/generate" -B example -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Werror" >/dev/null
cmake --build example >/dev/null
ls "${XDG_CACHE_HOME:-$HOME/.cache}"/layerboost/models/smollm2-135m/*.gguf >/dev/null 2>&1 || {
  echo "check-package: the default model isn't there; scripts/get-model.sh"
  exit 77
}
"$prefix/bin/layerboost" info models/smollm2-135m >/dev/null || give_up "the program doesn't find its data"
example/generate >texts 2>errors
[ ! -s errors ] || give_up "the library printed: $(head -1 errors)"
cat texts
grep -q "^The capital of France is Paris" texts && grep -q "^Water boils at ..*" texts || give_up "not the texts that were expected"
