#!/usr/bin/env bash
# Two replicas of `layerboost serve` behind a real nginx with bench/serve/nginx.conf: sessions stay with their replica, streams come in
# pieces, and while one replica stops, its streams finish and new requests go to the other.
#   bench/serve/check-nginx.sh [MODEL]        default: smollm2-135m
# Needs nginx and curl (Debian packages of these names), and free ports 8080 to 8082.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=${LAYERBOOST:-$here/../../build/release/layerboost}
model=${1:-smollm2-135m}
command -v nginx >/dev/null || { echo "check-nginx.sh: no nginx: apt-get install nginx-light" >&2; exit 1; }
work=$(mktemp -d)
pids=()
end() {
  [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
  [ ! -f "$work/nginx.pid" ] || kill "$(cat "$work/nginx.pid")" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap end EXIT

fail() { echo "check-nginx.sh: $*" >&2; tail -5 "$work"/*.log >&2; exit 1; }

for port in 8081 8082; do
  "$binary" serve "$model" --name it --port $port --memory 512M --threads 1 2>"$work/$port.log" &
  pids+=($!)
done
for port in 8081 8082; do
  for _ in $(seq 300); do curl -sf http://127.0.0.1:$port/ready >/dev/null && break; sleep 0.2; done
  curl -sf http://127.0.0.1:$port/ready >/dev/null || fail "replica $port didn't start"
done
chmod 755 "$work"  # nginx' workers are another user where it is started by root
nginx -p "$work" -e "$work/error.log" -c "$here/nginx.conf"

ask() {  # SESSION TOKENS [CURL ARGUMENT...]
  local session=$1 tokens=$2
  shift 2
  curl -sS "http://127.0.0.1:8080/v1/completions" -H 'Content-Type: application/json' -H "X-Session-Id: $session" "$@" \
    -d "{\"prompt\": \"Once upon a time\", \"max_tokens\": $tokens, \"stream\": true, \"ignore_eos\": true}"
}
count() {  # PORT: texts asked for
  curl -sf "http://127.0.0.1:$1/metrics" | sed -n 's/^layerboost_requests_total //p'
}

# Sessions.
for _ in 1 2 3 4; do ask same 1 >/dev/null; done
counts="$(count 8081) $(count 8082)"
[ "$counts" = "4 0" ] || [ "$counts" = "0 4" ] || fail "one session was spread: $counts"
for i in $(seq 24); do ask "session $i" 1 >/dev/null; done
[ "$(count 8081)" -gt 4 ] && [ "$(count 8082)" -gt 4 ] || fail "24 sessions weren't spread: $(count 8081) $(count 8082)"
echo "sessions: one stays, many spread ($(count 8081), $(count 8082))"

# Streams come piece by piece: the first long before the last.
started=$(date +%s%N)
ask same 100 -N | while read -r _; do date +%s%N; done >"$work/times"
first=$(( ($(head -1 "$work/times") - started) / 1000000 )) last=$(( ($(tail -1 "$work/times") - started) / 1000000 ))
[ $((first * 2)) -lt $last ] || fail "the stream came at once: first $first ms, last $last ms"
echo "streams: first piece after $first ms, last after $last ms"

# A replica stops in the middle of a stream.
[ "$counts" = "4 0" ] && stopped=0 || stopped=1
ask same 300 -N >"$work/stream" &
stream=$!
until [ -s "$work/stream" ]; do sleep 0.05; done
kill "${pids[$stopped]}"
for _ in 1 2 3 4 5 6; do
  ask same 1 -o "$work/answer" -w '%{http_code}\n' | grep -qx 200 || fail "a request was refused while a replica stopped: $(cat "$work/answer")"
done
wait $stream || fail "the stream was cut"
tail -2 "$work/stream" | grep -q '\[DONE\]' || fail "the stream was cut: $(tail -c 200 "$work/stream")"
wait "${pids[$stopped]}" || fail "the replica ended with an error"
ask same 1 -f >/dev/null || fail "no answer from the one that is left"
echo "drain: the stream was finished, nobody was refused"
