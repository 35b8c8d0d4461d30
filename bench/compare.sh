#!/usr/bin/env bash
# Side by side on this machine, one after another in one run: layerboost (bf16; int8; int8 with caches in int8, "kv8"; with PLAN too) and its peers llama.cpp and OpenVINO GenAI, on
# the default model. Prints a table of tokens per second and, for layerboost, its share of the roof.
#   bench/compare.sh [--quick] [--plan PLAN] [--out FILE.jsonl]
# Wants an idle machine for about 20 minutes. The first call builds the peers (bench/peers/setup.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
quick= plan= out=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=--quick ;;
    --plan) plan=$2; shift ;;
    --out) out=$2; shift ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done
"$root/bench/peers/setup.sh"
source "$root/bench/peers/common.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
binary=$root/build/release/layerboost

ours() { # ours FORMAT ARGUMENTS...: one line for each row of the bench
  local format=$1
  shift
  "$binary" bench smollm2-135m --json "$work/bench.json" "$@" >&2
  python3 - "$work/bench.json" "$format" <<'PYTHON'
import json, sys
bench = json.load(open(sys.argv[1]))
for row in bench["rows"]:
    if row["pp"] == 1:  # generating from nothing, as llama-bench's tg test
        row.update(pp=0, speed_pp=None)
    print(json.dumps({"peer": "layerboost", "version": bench["run"]["version"], "format": sys.argv[2], "threads": bench["run"]["threads"],
                      "tool": "layerboost bench", "config": {"precision": bench["run"]["precision"], "kv": bench["run"].get("kv"), "plan": bench["run"]["plan"]}, **row}))
PYTHON
}

batches=1,16,64 prompt=1024 generate=32
if [ -n "$quick" ]; then batches=1,4 prompt=256 generate=8; fi
for format in bf16 int8 int8-kv8; do
  flags=(--precision ${format%-kv8})
  [ $format != int8-kv8 ] || flags+=(--kv int8)
  ours $format "${flags[@]}" --prompt 512 --batch 1 --generate 1
  ours $format "${flags[@]}" --prompt 1 --batch 1 --generate 128
  ours $format "${flags[@]}" --prompt $prompt --batch $batches --generate $generate
  [ -z "$plan" ] || ours $format+plan "${flags[@]}" --plan "$plan" --prompt $prompt --batch $batches --generate $generate
done >"$work/ours.jsonl"
"$root/bench/peers/run.sh" $quick --out "$work/peers.jsonl"
[ -z "$out" ] || cat "$work/ours.jsonl" "$work/peers.jsonl" >"$out"
python3 "$root/bench/peers/table.py" "$work/ours.jsonl" "$work/peers.jsonl"
