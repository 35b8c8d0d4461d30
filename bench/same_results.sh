#!/usr/bin/env bash
# Compares two builds of the program, result by result and bit by bit, at every instruction level that the CPU has:
# logits and quality in all precisions, sampled and greedy text, an analysis, a heal run's adapter, exported files, and
# what a server answers to several at once. For changes that must change nothing.
#   bench/same_results.sh OLD NEW TEXT      OLD, NEW: programs; TEXT: JSON Lines with "text", or plain text
# Prints what differs, and exits with 0 only where nothing does. About 5 minutes on two cores.
set -euo pipefail
[ $# -eq 3 ] || {
  sed -n '2,6s/^# //p' "$0"
  exit 2
}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
old=$(realpath "$1") new=$(realpath "$2") text=$(realpath "$3")
"$root/scripts/get-model.sh" >/dev/null
model=$(ls "${XDG_CACHE_HOME:-$HOME/.cache}"/layerboost/models/smollm2-135m/*.gguf)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
levels=(avx2)
! grep -q avx512_bf16 /proc/cpuinfo || levels+=(avx512)
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=2

# without_run FILE: what was measured, without how and when.
without_run() {
  python3 -c 'import json,sys
d = json.load(open(sys.argv[1])); d.pop("run", None); print(json.dumps(d, indent=1))' "$1"
}

# results PROGRAM FOLDER: everything, in a folder with a cache of its own. Each has the model under the same name: it stands in files.
results() {
  local program=$1 here=$2
  mkdir -p "$here/model" "$here/out"
  cd "$here"
  export XDG_CACHE_HOME=$here/cache
  ln -s "$model" model/small.gguf
  run() { # run NAME ARGUMENT...: with --json; what is written goes into out/NAME.txt
    local name=$1
    shift
    "$program" "$@" --json "$name.json" >"out/$name.txt" 2>"$name.err" || {
      cat "$name.err" >&2
      return 1
    }
    without_run "$name.json" >"out/$name.json"
  }
  for precision in f32 bf16 int8; do
    run "eval-$precision" eval model/small.gguf --text "$text" --limit 1 --precision $precision
  done
  local plans=$root/bench/plans
  run eval-plan eval model/small.gguf --plan "$plans/standard.json" --text "$text" --limit 1 --passkey 300
  run eval-bold eval model/small.gguf --plan "$plans/bold.json" --text "$text" --limit 1 --precision int8 --kv int8
  run generate generate model/small.gguf "The capital of France is" "Once upon a time" --tokens 48
  run sampled generate model/small.gguf --plan "$plans/standard.json" "A letter to" --temperature 0.9 --seed 5 --tokens 48
  run analyze analyze model/small.gguf -o analysis --text "$text" --tokens 256 --length 128 --to none,window,map,hybrid,gated \
    --window 32 --by kl,nll,cosine
  without_run analysis >out/analysis.json
  python3 - "$plans/standard.json" >mixed.json <<'PYTHON'
import json, sys
plan = json.load(open(sys.argv[1]))
middle = ({"mixer": "hybrid", "window": 32, "sinks": 4}, {"mixer": "gated", "window": 32}, {"mixer": "none"})
for i in range(20, 26): plan["layers"][i] = {"layer": i, **middle[i % 3]}
print(json.dumps(plan))
PYTHON
  local questions=--questions # by its name of earlier versions
  "$program" heal --help | grep -q -e --questions || questions=--passkeys
  "$program" heal model/small.gguf --plan mixed.json -o healed --text "$text" --tokens 3k --length 128 --batch 1024 $questions 0 \
    --valid-sequences 2 2>heal.err >out/heal.txt || { cat heal.err >&2; return 1; }
  sha256sum healed/adapter.safetensors healed/plan.json >out/healed.sha
  run eval-healed eval healed --text "$text" --limit 1
  "$program" export healed -o exported 2>export.err || { cat export.err >&2; return 1; }
  (cd exported && sha256sum -- *) >out/exported.sha
  for arguments in "--plan $plans/standard.json" "--precision int8 --kv int8"; do
    local name=${arguments//[^a-z0-9]/}
    # A server of this program, until its subshell ends.
    (
      export LAYERBOOST=$program
      . "$root/bench/serve/common.sh"
      # shellcheck disable=SC2086
      start_server model/small.gguf $arguments
      for i in 1 2 3 4 5 6; do
        curl -sf "$url/v1/completions" -H 'Content-Type: application/json' \
          -d '{"prompt": "Question '$i': what is '$i' times seven?\nAnswer:", "max_tokens": 40, "temperature": 0}' |
          python3 -c 'import json,sys; print(json.load(sys.stdin)["choices"][0]["text"])' >>"out/served-$i-$name.txt" &
        clients[i]=$!
      done
      wait "${clients[@]}"
    ) || return 1
  done
}

status=0
for level in "${levels[@]}"; do
  export LAYERBOOST_ISA=$level
  for which in old new; do
    (results "${!which}" "$work/$level/$which") || exit 1
  done
  if diff -r "$work/$level/old/out" "$work/$level/new/out"; then
    echo "$level: $(ls "$work/$level/new/out" | wc -l) results, all the same"
  else
    echo "$level: DIFFERENT"
    status=1
  fi
done
exit $status
