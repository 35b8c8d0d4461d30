#!/usr/bin/env bash
# The official OpenAI client for Python against `layerboost serve` with the default model: completions, chat, streams, log-probabilities,
# errors, many requests at once; and Prometheus' own parser on /metrics.
#   bench/serve/check-openai.sh
# The first call makes a virtual environment in the cache. Takes about a minute after that.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/bench/serve/common.sh"
make_venv
start_server smollm2-135m --api-key secret
"$venv/bin/python" "$root/bench/serve/check_openai.py" "$url" secret
