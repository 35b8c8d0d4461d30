#!/usr/bin/env bash
# From a bare Debian to a boosted model and its page: packages, build, default model, `layerboost boost`.
#   scripts/demo.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh
scripts/build.sh release layerboost
scripts/get-model.sh
build/release/layerboost boost smollm2-135m -o out/smollm2-135m
echo
echo "The page: $PWD/out/smollm2-135m/report.html"
