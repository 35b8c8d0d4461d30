#!/usr/bin/env bash
# Whether plans are as good where what windows lose is estimated from gradients, as where each is measured, both on text by the model itself, as in
# boost's analysis: how both agree, how long they take, and plans of the same memory, by sums of layers and not healed, on a text and wordings that
# chose neither. What is in DIR isn't made again.
#   bench/quality/estimated.sh DATA DIR      DATA: a folder with corpus/valid.jsonl ("text" in each line)
# MODEL=NAME: smollm2-135m:base unless given. MEMORY="0.6 0.3 0.15": of the plans. WINDOWS=N: of 1024 tokens, of the textbook (16).
# RETRIEVAL=N: length of the texts that facts are in (1024; 0: none).
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
data=$1 out=$2 root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${LAYERBOOST:-$root/build/release/layerboost} model=${MODEL:-smollm2-135m:base}
mkdir -p "$out"
[ -s "$out/measured.json" ] || "$binary" analyze "$model" -o "$out/text.json" --tokens 8192 --to none --by cosine >"$out/analyze.log" # writes the text
for way in measured estimated; do
  flags=()
  [ $way = measured ] || flags=(--by-gradients)
  "$binary" analyze "$model" -o "$out/$way.json" --tokens 8192 --window 64,256,512 "${flags[@]}" >>"$out/analyze.log"
done
facts=(--retrieval "${RETRIEVAL:-1024}")
[ "${RETRIEVAL:-}" != 0 ] || facts=()
for memory in ${MEMORY:-0.6 0.3 0.15}; do
  for way in measured estimated; do
    plan=$out/$way.$memory.json
    [ -s "$plan" ] || "$binary" plan "$out/$way.json" -o "$plan" --kv "$memory"
    [ -s "$out/$way.$memory.quality.json" ] || "$binary" eval "$model" --plan "$plan" --text "$data/corpus/valid.jsonl" --limit "${WINDOWS:-16}" \
      "${facts[@]}" --json "$out/$way.$memory.quality.json"
  done
done
python3 "$root/bench/quality/estimated.py" "$out" "${MEMORY:-0.6 0.3 0.15}"
