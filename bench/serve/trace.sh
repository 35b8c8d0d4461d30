#!/usr/bin/env bash
# A real day's arrivals on a server whose memory is small: the default model at level 0 of its ladder, at fixed levels, with levels by load, and llama-server,
# one after another on this machine, each asked by the same client (`layerboost bench --url --trace`): real lengths and arrivals, sessions that send what was said
# again, at several times the rate that level 0 keeps up with.
#   bench/serve/trace.sh --trace CSV [--model MODEL] [--fixed 15] [--memory 1.5G] [--ttft 10] [--tpot 0.3] [--duration 120] [--loads 0.7,1,1.3]
#                        [--search 0,15,22] [--between 0.1,0.4] [--capacity X] [--servers level-0,auto,..] [--skip 600] [--out DIR]
# Capacity of a level is the highest rate (times the trace's own) at which a server that is fixed to it keeps 90 % of requests within both targets; it is
# looked for between two rates by halving what is between them, three times, for each level of --search. Loads are times that of level 0, or of --capacity.
# The trace's first --skip requests are left out: a service was starting.
# QUALITY is the limit of auto and per-request (1.05). llama-server takes part where bench/peers/setup.sh has built it, with LLAMA_CONTEXT positions (65536).
# What is in DIR already isn't measured again. Wants an idle machine: about half a minute more than --duration for each server and load.
# Prints tables; DIR/trace.svg shows load, level and latency over time where matplotlib is there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/bench/peers/common.sh"
trace= ladder=smollm2-135m fixed=15 memory=1.5G ttft=10 tpot=0.3 duration=120 loads=0.7,1,1.3 search=0,15,22 between=0.1,0.4 capacity= servers= skip=600 out=
while [ $# -gt 0 ]; do
  case $1 in
    --trace | --model | --fixed | --memory | --ttft | --tpot | --duration | --loads | --search | --between | --capacity | --servers | --skip | --out)
      [ $# -ge 2 ] || fail "$1 wants a value" 2 ;;&
    --trace) trace=$2 ;;
    --model) ladder=$2 ;;
    --fixed) fixed=$2 ;;
    --memory) memory=$2 ;;
    --ttft) ttft=$2 ;;
    --tpot) tpot=$2 ;;
    --duration) duration=$2 ;;
    --loads) loads=$2 ;;
    --search) search=$2 ;;
    --between) between=$2 ;;
    --capacity) capacity=$2 ;;
    --servers) servers=$2 ;;
    --skip) skip=$2 ;;
    --out) out=$2 ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift 2
done
[ -f "$trace" ] || fail "--trace: give the CSV file of a trace (docs/chat.md, \"Replaying a trace\")" 2
binary=${LAYERBOOST:-$root/build/release/layerboost}
[ -n "$out" ] || out=$(mktemp -d)
quality=${QUALITY:-1.05}
begin_in "serve/trace.sh $ladder $memory $ttft $tpot $duration $quality $skip, $(sha256sum <"$trace" | cut -c1-12), $(binary_stamp)"
awk -v skip="$skip" 'NR == 1 || NR > skip + 1' "$trace" >"$out/trace.csv"
check_idle
server=
trap '[ -z "$server" ] || kill $server 2>/dev/null' EXIT
if [ -z "$servers" ]; then
  servers=level-0$(printf ',level-%s' ${fixed//,/ }),auto,per-request
  [ ! -x "$llama_bin/llama-server" ] || servers+=,llama-server
fi

# start NAME: its server at $url.
start() {
  local tries=0
  case $1 in
    level-*) set -- "$1" "$binary" serve "$ladder" --levels "fixed:${1#level-}" ;;
    auto) set -- "$1" "$binary" serve "$ladder" --levels auto --quality "$quality" --ttft "$ttft" --tpot "$tpot" ;;
    per-request) set -- "$1" "$binary" serve "$ladder" --levels per-request --quality "$quality" ;;
    llama-server) set -- "$1" "$llama_bin/llama-server" -m "$(model_file BF16)" -t "$(nproc)" -fa on -np 32 -kvu -c "${LLAMA_CONTEXT:-65536}" --no-webui ;;
    *) fail "--servers: $1 isn't level-N, auto, per-request or llama-server" 2 ;;
  esac
  url=http://127.0.0.1:8393
  ! curl -s "$url/health" >/dev/null || fail "another server answers at $url: stop it first"
  local name=$1 flags=(--port 8393)
  shift
  [ "$name" = llama-server ] || flags+=(--memory "$memory" --name "$name")
  "$@" "${flags[@]}" >"$out/$name.log" 2>&1 &
  server=$!
  until curl -sf "$url/health" >/dev/null; do
    kill -0 $server 2>/dev/null && [ $((tries += 1)) -lt 600 ] || { tail -3 "$out/$name.log" >&2; fail "$name did not start"; }
    sleep 0.5
  done
}

# stop [FILE]: ends it; what it counted goes into FILE.
stop() {
  [ $# -eq 0 ] || curl -s "$url/metrics" >"$1" || true
  kill $server
  wait $server || true
  server=
}

# replay RATES FILE: what is sent is the same for each server.
replay() {
  "$binary" bench --url "$url" --trace "$out/trace.csv" --rate "$1" --duration "$duration" --turns --ttft "$ttft" --tpot "$tpot" --vocab 49152 --context 8192 \
    --json "$out/part.json" >&2 || fail "this replay failed: $2 is missing"
  mv "$out/part.json" "$2"
}

# within SERVER RATE: whether the server keeps the targets at this rate; measures it where that hasn't been.
within() {
  local file=$out/search.$2.$1.json
  if [ ! -s "$file" ]; then
    start "$1"
    replay "$2" "$file"
    stop
  fi
  python3 "$root/bench/serve/trace_table.py" --keeps 0.9 "$file"
}

# capacity_of LEVEL: into $found.
capacity_of() {
  local low=${between%,*} high=${between#*,} middle try
  for try in 1 2 3; do
    middle=$(python3 -c "print(f'{($low * $high) ** 0.5:.3f}')")
    if within "level-$1" "$middle"; then low=$middle; else high=$middle; fi
  done
  found=$low
  [ "$low" != "${between%,*}" ] || fail "level $1 doesn't keep the targets at any rate tried: give a lower one with --between"
  [ "$high" != "${between#*,}" ] && high="to $high" || high="or more"
  echo "| level $1 | $low $high | $(python3 "$root/bench/serve/trace_table.py" --rate "$out/search.$low.level-$1.json") |" >>"$out/capacity.md"
}

if [ -z "$capacity" ]; then
  [[ $search == 0 || $search == 0,* ]] || fail "--search: begins with 0, the level that loads are counted by" 2
  printf '| server | capacity, times the trace | requests/s |\n|---|---|---|\n' >"$out/capacity.md"
  for level in ${search//,/ }; do
    capacity_of "$level"
    [ -n "$capacity" ] || capacity=$found # the first is what loads are counted by
  done
  cat "$out/capacity.md"
fi
[ ! -e "$out/counted-by" ] || [ "$(cat "$out/counted-by")" = "$capacity" ] ||
  fail "$out holds loads that are counted by a capacity of $(cat "$out/counted-by"), not of $capacity: give another --out" 2
echo "$capacity" >"$out/counted-by"
for load in ${loads//,/ }; do
  rate=$(python3 -c "print(round($capacity * $load, 4))")
  for name in ${servers//,/ }; do
    file=$out/$load.$name.json
    [ ! -s "$file" ] || continue
    start "$name"
    replay "$rate" "$file"
    stop "${file%.json}.metrics"
  done
done
"$([ -x "$python" ] && echo "$python" || echo python3)" "$root/bench/serve/trace_table.py" --out "$out/trace.svg" "$out"/[0-9]*.json
