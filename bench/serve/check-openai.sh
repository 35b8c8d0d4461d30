#!/usr/bin/env bash
# The official OpenAI clients for Python and (where there is a Node.js) for Node.js against `layerboost serve` with the default model:
# completions, chat, forms of answers, tools, responses, embeddings, streams, log-probabilities, errors, many requests at once; and
# Prometheus' own parser on /metrics.
#   bench/serve/check-openai.sh
# The first call makes a virtual environment, and a folder of Node.js packages, in the cache. Takes some ten seconds after that.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/bench/serve/common.sh"
make_venv
start_server smollm2-135m --api-key secret
"$venv/bin/python" "$root/bench/serve/check_openai.py" "$url" secret
command -v npm >/dev/null || { echo "no npm: without the client for Node.js"; exit 0; }
node=$(dirname "$venv")/node-7.57.0
[ -d "$node/node_modules/openai" ] || npm install --silent --no-fund --no-audit --prefix "$node" openai@7.57.0
cp "$root/bench/serve/check_openai.mjs" "$node/"
node "$node/check_openai.mjs" "$url" secret
