#!/usr/bin/env bash
# Minutes of everything at once against `layerboost serve`: mixed lengths, clients that leave, bursts of 500 connections, malformed requests,
# and so little memory that sequences are pre-empted. Nothing may crash, resident memory must stay flat, /health must answer, and every greedy answer
# is the same request's answer when it was alone, up to the first token whose lead over the next is within rounding; of a server with levels
# (soak.sh 600 smollm2-135m --levels auto --memory 32M --cooldown 0.2) every one that stayed at level 0.
#   bench/serve/soak.sh [SECONDS [MODEL [FLAG...]]]      default: 180 s, smollm2-135m:base; FLAGs go to serve (--memory is 24M unless given)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$root/bench/serve/common.sh"
python=/usr/bin/python3
"$python" -c 'import aiohttp' 2>/dev/null || { echo "soak.sh: aiohttp is missing: run scripts/setup.sh test" >&2; exit 1; }
seconds=${1:-180}
model=${2:-smollm2-135m:base}
shift $(($# < 2 ? $# : 2))
ulimit -n "$(ulimit -Hn)"
[[ " $* " == *" --memory "* ]] || set -- --memory 24M "$@"
start_server "$model" --name it --max-sequences 32 --max-queue 200 "$@"
"$python" "$root/bench/serve/soak.py" "$url" "$seconds" "$@" || { tail -3 "$work/server.log" >&2; exit 1; }
kill $server
wait $server || { echo "soak.sh: the server ended with $?" >&2; exit 1; }
