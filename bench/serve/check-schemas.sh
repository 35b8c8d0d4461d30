#!/usr/bin/env bash
# Answers by random schemas against the package jsonschema: whatever is written at temperature 1 must be valid.
#   bench/serve/check-schemas.sh [COUNT [FIRST_SEED]]      default: 300 schemas from seed 0, smollm2-135m
# The first call makes a virtual environment in the cache.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/bench/serve/common.sh"
make_venv
start_server smollm2-135m --name it
"$venv/bin/python" "$root/bench/serve/check_schemas.py" "$url" "${1:-300}" "${2:-0}"
