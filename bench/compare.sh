#!/usr/bin/env bash
# Side by side on this machine, one after another in one run: layerboost and its peers llama.cpp and OpenVINO GenAI, on the default model. Prints a
# table of tokens per second; layerboost's own lines hold its share of the roofline, too.
#   bench/compare.sh [--quick | --grid] [--plan PLAN].. [--out DIR]
# layerboost runs unchanged and with each PLAN, in bf16, in int8, and in int8 with caches in int8 ("kv8"). --quick: a check that all of it works.
# --grid: 1 to 128 sequences of 256 to 4096 tokens, layerboost in bf16 and kv8, llama.cpp in BF16 with flash attention (its fastest from 16
# sequences on), OpenVINO in bf16, drawn as DIR/speed.svg (about 16 GB); then the servers (bench/serve/compare.sh).
# Wants an idle machine for about 20 minutes, with --grid for three hours; what is in DIR already isn't measured again. The first call builds the
# peers (bench/peers/setup.sh).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/bench/peers/common.sh"
extent= plans=() out=
while [ $# -gt 0 ]; do
  case $1 in
    --quick | --grid) extent=$1 ;;
    --plan | --out)
      [ $# -ge 2 ] || fail "$1 wants a value" 2
      if [ "$1" = --plan ]; then plans+=("$2"); else out=$2; fi
      shift
      ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done
[ "$extent" != --grid ] || [ -n "$out" ] || fail "--grid takes three hours: say with --out where to keep the results" 2
"$root/bench/peers/setup.sh"
[ -n "$out" ] || { out=$(mktemp -d) && trap 'rm -rf "$out"' EXIT; }
binary=${LAYERBOOST:-$root/build/release/layerboost}
begin_in "compare.sh $extent, $(binary_stamp)"
for plan in "${plans[@]}"; do keep_plan "$plan"; done
check_idle

# ours NAME FORMAT ARGUMENTS...: into DIR/ours.NAME.jsonl, one line for each row of the bench.
ours() {
  local lines=$out/ours.$1.jsonl format=$2
  shift 2
  [ ! -s "$lines" ] || return 0
  "$binary" bench smollm2-135m:base --json "$out/part.json" "$@" >&2
  python3 - "$out/part.json" "$format" >"$lines.part" <<'PYTHON'
import json, sys
bench = json.load(open(sys.argv[1]))
for row in bench["rows"]:
    if row["pp"] == 1:  # generating from nothing, as llama-bench's tg test
        row.update(pp=0, speed_pp=None)
    print(json.dumps({"peer": "layerboost", "version": bench["run"]["version"], "format": sys.argv[2], "threads": bench["run"]["threads"],
                      "tool": "layerboost bench", "config": {"precision": bench["run"]["precision"], "kv": bench["run"].get("kv"), "plan": bench["run"]["plan"]}, **row}))
PYTHON
  mv "$lines.part" "$lines"
  rm "$out/part.json"
}

# peers CELL|"" PART...: each into DIR/PART[.CELL].jsonl.
peers() {
  local cell=$1 part lines
  shift
  for part; do
    lines=$out/$part${cell:+.$cell}.jsonl
    [ ! -s "$lines" ] || continue
    "$root/bench/peers/run.sh" $quick ${cell:+--cell "$cell"} --only $part --lines --out "$lines.part" >&2
    mv "$lines.part" "$lines"
  done
}

# A cell is PROMPT:SEQUENCES; all that is measured in one stands close together in time.
formats=(bf16 int8 int8-kv8) cells=(1024:1,16,64) generate=32 quick=
case $extent in
  --quick) quick=--quick cells=(256:1,4) generate=8 ;;
  --grid) formats=(bf16 int8-kv8) cells=(256:1,4,16,64,128 1024:1,4,16,64,128 4096:1,4,16,64 4096:128) ;;
esac
for cell in "${cells[@]}"; do
  for format in "${formats[@]}"; do
    flags=(--precision ${format%-kv8})
    [ $format != int8-kv8 ] || flags+=(--kv int8)
    many=(--prompt ${cell%:*} --batch ${cell#*:} --generate $generate)
    if [ "$extent" != --grid ]; then
      ours $format.prompt $format "${flags[@]}" --prompt 512 --batch 1 --generate 1
      ours $format.single $format "${flags[@]}" --prompt 1 --batch 1 --generate 128
    fi
    ours $format.$cell $format "${flags[@]}" "${many[@]}"
    for plan in "${plans[@]}"; do
      keep_plan "$plan"
      ours "$format+$plan_name.$cell" "$format+$plan_name" "${flags[@]}" --plan "$plan" "${many[@]}"
    done
  done
  [ "$extent" != --grid ] || peers "$cell" llama-batched openvino
done
[ "$extent" = --grid ] || peers "" llama-bench llama-batched openvino
python3 "$root/bench/peers/table.py" "$out"/*.jsonl
if [ "$extent" = --grid ]; then
  "$python" "$root/bench/peers/plot.py" "$out/speed.svg" "$out"/*.jsonl
  served=()
  for plan in "${plans[@]}"; do served+=(--plan "$plan"); done
  "$root/bench/serve/compare.sh" --out "$out/serve" "${served[@]}"
fi
