#!/usr/bin/env bash
# Many people at once: llama.cpp's llama-server (BF16, its fastest format for many sequences) and layerboost serve on the default model, one after another on this
# machine, each asked by the same client (`layerboost bench --url`): random prompts of 1024 tokens, 128 generated, so many requests under way at once.
#   bench/serve/compare.sh [--concurrency 50,100,200] [--requests 200] [--plan PLAN].. [--out DIR]
# layerboost runs unchanged in bf16 and in int8 with caches in int8 ("int8-kv8"), and so with each PLAN. Prints throughput, latencies and each server's
# largest resident memory. What is in DIR already isn't measured again. Wants an idle machine for about 40 minutes, and the peers (bench/peers/setup.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/bench/peers/common.sh"
concurrency=50,100,200 requests=200 plans=() out=
while [ $# -gt 0 ]; do
  case $1 in
    --concurrency | --requests | --plan | --out) [ $# -ge 2 ] || fail "$1 wants a value" 2 ;;&
    --concurrency) concurrency=$2 ;;
    --requests) requests=$2 ;;
    --plan) plans+=("$2") ;;
    --out) out=$2 ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
binary=${LAYERBOOST:-$root/build/release/layerboost}
most=$(tr , '\n' <<<"$concurrency" | sort -n | tail -1)
[ -x "$llama_bin/llama-server" ] || fail "$llama_bin/llama-server is missing; run bench/peers/setup.sh"
[ -n "$out" ] || { out=$(mktemp -d) && made=$out; }
begin_in "serve/compare.sh --concurrency $concurrency --requests $requests, $(binary_stamp)"
for plan in "${plans[@]}"; do keep_plan "$plan"; done
check_idle
server=
trap '[ -z "$server" ] || kill $server 2>/dev/null; [ -z "${made:-}" ] || rm -rf "$made"' EXIT

# measure NAME PORT SERVER...: starts it, asks it, stops it; results in DIR/NAME.json.
measure() {
  local name=$1 url=http://127.0.0.1:$2
  shift 2
  [ ! -s "$out/$name.peak" ] || return 0
  ! curl -s "$url/health" >/dev/null || fail "another server answers at $url: stop it first"
  "$@" >"$out/$name.log" 2>&1 &
  server=$!
  local tries=0
  until curl -sf "$url/health" >/dev/null; do
    kill -0 $server 2>/dev/null && [ $((tries += 1)) -lt 600 ] || { tail -3 "$out/$name.log" >&2; fail "$name did not start"; }
    sleep 0.5
  done
  "$binary" bench --url "$url" --prompt 1024 --generate 128 --concurrency "$concurrency" --requests "$requests" --vocab 49152 --json "$out/part.json" >&2
  mv "$out/part.json" "$out/$name.json"
  awk '/^VmHWM/ { print $2 }' /proc/$server/status >"$out/$name.peak"
  kill $server
  wait $server || true
  server=
}

measure llama-server-BF16 8391 "$llama_bin/llama-server" -m "$(model_file BF16)" --port 8391 -t "$(nproc)" -fa on -np "$most" -c $((most * 1280)) \
  --no-cache-prompt --cache-ram 0 --no-webui
for format in bf16 int8-kv8; do
  flags=(--port 8392 --max-sequences "$most" --precision ${format%-kv8})
  [ $format != int8-kv8 ] || flags+=(--kv int8)
  measure layerboost-$format 8392 "$binary" serve smollm2-135m:base "${flags[@]}"
  for plan in "${plans[@]}"; do
    keep_plan "$plan"
    measure "layerboost-$format+$plan_name" 8392 "$binary" serve smollm2-135m --plan "$plan" "${flags[@]}"
  done
done
python3 "$root/bench/serve/compare_table.py" "$out"/*.peak
