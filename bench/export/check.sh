#!/usr/bin/env bash
# Compares exported models with transformers: tokens, logits (f32 and bf16), generation with and without its cache, alone and in a padded batch.
# The default model is exported with a plan of all exportable kinds of mixers and a random adapter.
#   bench/export/check.sh [DIR...]      DIR: directories that heal or boost wrote, exported and compared too
# The first call makes a virtual environment with torch and transformers in the cache (several GB). Takes about three minutes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/layerboost
venv=$cache/export/venv
packages=(torch==2.15.0 transformers==5.23.0 numpy==2.4.6)
"$root/scripts/get-model.sh"
if [ "$(cat "$venv/.made-from" 2>/dev/null)" != "${packages[*]}" ]; then
  echo "check: installing ${packages[*]}"
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${packages[@]}"
  echo "${packages[*]}" >"$venv/.made-from"
fi
build=${LAYERBOOST_BUILD:-$root/build/export}
if [ -z "${LAYERBOOST_BUILD:-}" ]; then
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLAYERBOOST_BENCH=ON -DLAYERBOOST_TESTS=OFF --log-level=WARNING >/dev/null
  cmake --build "$build" --target layerboost export_logits
fi
export HF_HUB_OFFLINE=1
"$venv/bin/python" "$root/bench/export/check.py" --layerboost "$build/layerboost" --logits "$build/bench/export_logits" "$@"
