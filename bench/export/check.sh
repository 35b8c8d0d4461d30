#!/usr/bin/env bash
# Compares exported models with transformers: tokens, logits (f32 and bf16), generation with and without its cache, alone and in a padded batch,
# what it refuses, and what it saves again; with the oldest release that is supported, one in between and the newest (TRANSFORMERS="5.24.0": that alone).
# The default model is exported with a plan of all exportable kinds of mixers and a random adapter.
#   bench/export/check.sh [DIR...]      DIR: directories that heal or boost wrote, exported and compared too
# The first call makes a virtual environment with torch in the cache (several GB), and a folder for each release. Takes about four minutes a release.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/layerboost
venv=$cache/export/venv
packages=(torch==2.15.0 numpy==2.4.6 safetensors==0.8.0)
read -ra releases <<<"${TRANSFORMERS:-4.56.0 5.19.0 5.24.0}"
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
failed=()
for release in "${releases[@]}"; do
  folder=$cache/export/transformers-$release
  if [ ! -e "$folder/.complete" ]; then
    echo "check: installing transformers $release"
    rm -rf "$folder"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --target "$folder" "transformers==$release"
    touch "$folder/.complete"
  fi
  PYTHONPATH=$folder "$venv/bin/python" "$root/bench/export/check.py" \
    --layerboost "$build/layerboost" --logits "$build/bench/export_logits" "$@" || failed+=("$release")
done
[ ${#failed[@]} = 0 ] || {
  echo "check: FAILED with transformers ${failed[*]}"
  exit 1
}
