#!/bin/sh
# Builds the fuzz targets and runs each for SECONDS (default 60) from its seeds. New inputs stay in the build folder; a finding stops the
# script and its input lies beside them as crash-*, leak-*, timeout-* or oom-*.
# Usage: scripts/fuzz.sh [SECONDS]
set -eu
seconds=${1:-60}
cd "$(dirname "$0")/.."
scripts/setup.sh fuzz
cmake --preset fuzz
mkdir -p build/fuzz/runs
for source in fuzz/*_fuzz.cc; do
  name=$(basename "$source" _fuzz.cc)
  cmake --build build/fuzz --target "${name}_fuzz"
  mkdir -p "build/fuzz/runs/$name"
  if [ -d "fuzz/corpus/$name" ]; then cp -f "fuzz/corpus/$name"/* "build/fuzz/runs/$name/"; fi
  echo "== ${name}_fuzz, $seconds seconds"
  build/fuzz/fuzz/"${name}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/runs/" "build/fuzz/runs/$name"
done
