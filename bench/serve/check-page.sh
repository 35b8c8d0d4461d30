#!/usr/bin/env bash
# The live page of `layerboost serve` in headless Chromium, of one plan and of levels: a question is asked and answered, the figures move, nothing
# sticks out at a phone's and a desktop's width, in light and dark, and no script fails.
#   bench/serve/check-page.sh [OUTDIR]        OUTDIR: where screenshots go, into plan/ and levels/
# Needs Chromium (Debian package: chromium); the first call makes a virtual environment in the cache.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/bench/serve/common.sh"
command -v chromium >/dev/null || { echo "check-page.sh: no chromium: apt-get install chromium" >&2; exit 1; }
make_venv
look() ( # look NAME SERVE-ARGUMENT...
  name=$1 folder=${out:+$out/$1}
  shift
  start_server smollm2-135m --memory 512M "$@"
  [ -z "$folder" ] || mkdir -p "$folder"
  "$venv/bin/python" "$root/bench/serve/check_page.py" "$url" "$work" "$name" "$folder"
)
out=${1:-}
look plan
look levels --levels auto
