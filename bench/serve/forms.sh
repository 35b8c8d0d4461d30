#!/usr/bin/env bash
# What it costs to hold answers to a form: 64 requests at once by a schema, by an expression and by a grammar, in turn, and between them without a
# form, each greedy, sampled and sampled with top_p; tokens per second of all together, their ratio to those without one,
# and what of a step the form costs.
#   bench/serve/forms.sh [ROUNDS [MODEL]]        default: 3 rounds, smollm2-135m
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/bench/serve/common.sh"
start_server "${2:-smollm2-135m}" --name it --no-prefix-cache
python3 "$root/bench/serve/forms.py" "$url" "${1:-3}"
