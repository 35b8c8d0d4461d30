#!/usr/bin/env bash
# What a ladder costs those who stay at level 0: the default model served with its ladder and without one, both idle but for the one that is asked, in
# turn; and whether both write the same.
#   bench/serve/levels.sh [PAIRS]        default: 5 pairs of 48 requests, 16 at a time, of 512 and 64 tokens
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${LAYERBOOST:-$root/build/release/layerboost}
pairs=${1:-5}
work=$(mktemp -d)
servers=()
trap '{ kill "${servers[@]}" && wait; } 2>/dev/null || true; rm -rf "$work"' EXIT

serve() { # serve NAME ARGUMENT...: its address in $url
  local name=$1
  shift
  "$binary" serve "$@" --port 0 --memory 2G --no-prefix-cache --name it 2>"$work/$name.log" &
  servers+=($!)
  url=
  for _ in $(seq 300); do
    url=$(sed -n 's|.* is served at \(http://[^ ]*\)/ .*|\1|p' "$work/$name.log")
    [ -z "$url" ] || return 0
    sleep 0.2
  done
  cat "$work/$name.log" >&2
  exit 1
}

serve without smollm2-135m:base
without=$url
serve with smollm2-135m --levels auto
with=$url
for url in "$without" "$with"; do
  curl -s "$url/v1/completions" -H 'Content-Type: application/json' -d '{"prompt": "Once upon a time", "max_tokens": 200, "temperature": 0}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["choices"][0]["text"])' >"$work/text.$([ "$url" = "$with" ] && echo with || echo without)"
done
cmp "$work/text.with" "$work/text.without" || { echo "levels.sh: both write another text" >&2; exit 1; }
for pair in $(seq "$pairs"); do
  for name in without with; do
    url=$without
    [ $name = without ] || url=$with
    "$binary" bench --url "$url" --concurrency 16 --requests 48 --prompt 512 --generate 64 --seed "$pair" --json "$work/$name.$pair.json" >/dev/null 2>&1
  done
done
python3 - "$work" "$pairs" <<'PYTHON'
import json, statistics, sys
folder, pairs = sys.argv[1], int(sys.argv[2])
def throughput(file):
    return next(rows for rows in json.load(open(file)).values() if isinstance(rows, list))[0]["output_throughput"]
speed = {name: [throughput(f"{folder}/{name}.{pair}.json") for pair in range(1, pairs + 1)] for name in ("without", "with")}
ratios = [a / b for a, b in zip(speed["with"], speed["without"])]
print(f"tokens/s without a ladder {statistics.median(speed['without']):.1f}, with one at level 0 {statistics.median(speed['with']):.1f}: "
      f"{statistics.median(ratios):.3f} times ({min(ratios):.2f} to {max(ratios):.2f})")
PYTHON
