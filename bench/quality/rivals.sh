#!/usr/bin/env bash
# Six ways to choose a plan of the same memory, 30 % at 2048 tokens, healed alike and judged by texts and wordings that took part in nothing:
#   layer, head      the planner's, by layer and by KV head, windows of 64 to 512
#   hand             softmax in layers 7 18 20 21 23 24, chosen by hand; in this plan and the next ones all others have a window of 256
#   even             softmax in six layers, evenly spaced
#   removal          softmax in the six whose removal costs most (KL), as LayerBoost chooses (arXiv 2604.22050)
#   answers          softmax in the six whose window costs answers most (their log-probability), as arXiv 2606.27791 chooses
# What is in DIR isn't made again; the same command goes on where it was stopped. An hour and a half on a fast machine of two cores.
#   bench/quality/rivals.sh DATA DIR      DATA: a folder with corpus/{train,valid}.jsonl ("text" in each line)
# TOKENS=N: what each plan is healed on (default 250K). WINDOWS=N: of 1024 tokens, of each text (32). LENGTHS=1024,2048: of the texts that facts are in.
# NAMES="layer hand": only these.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2; }
data=$1 out=$2 root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${LAYERBOOST:-$root/build/release/layerboost} here=$root/bench/quality
train=$data/corpus/train.jsonl valid=$data/corpus/valid.jsonl names=${NAMES:-layer head hand even removal answers}
mkdir -p "$out"
[ -s "$out/texts/dictionary.jsonl" ] || python3 "$here/texts.py" "$out/texts"

once() { # once FILE COMMAND...: unless FILE is there
  local file=$1
  shift
  [ -s "$file" ] || "$binary" "$@"
}

calibration=(--by kl,retrieval --length 2048 --tokens 16384 --retrieval-items 36 --text "$train")
by_rule=("$out/rules.json" --middle window:256+4 --softmax 6 --none 0 --context 2048)
for name in $names; do
  case $name in
    layer) "$binary" analyze smollm2-135m -o "$out/layers.json" --by-gradients --to window --window 64,128,256,512 "${calibration[@]}" ;;
    head) "$binary" analyze smollm2-135m -o "$out/heads.json" --heads --by-gradients --to window --window 64,128,256,512 "${calibration[@]}" ;;
    removal | answers) "$binary" analyze smollm2-135m -o "$out/rules.json" --to none,window --window 256 "${calibration[@]}" ;;
  esac >>"$out/analyze.log"
  plan=$out/$name.json
  case $name in
    layer) once "$plan" plan "$out/layers.json" -o "$plan" --kv 0.302 --search joint --text "$train" ;;
    head) once "$plan" plan "$out/heads.json" -o "$plan" --kv 0.302 --search joint --measurements 8 --text "$train" ;;
    hand | even) [ -s "$plan" ] || python3 "$here/rivals.py" plan $name "$plan" ;;
    removal) once "$plan" plan "${by_rule[@]}" -o "$plan" --by-removal ;;
    answers) [ -s "$plan" ] || python3 "$here/rivals.py" plan answers "$plan" "$out/rules.json" ;;
    *) echo "rivals.sh: NAMES: there is no plan $name" >&2; exit 2 ;;
  esac
  "$binary" heal smollm2-135m --plan "$plan" -o "$out/$name" --tokens "${TOKENS:-250K}" --length 2048 --batch 4096 --lr 5e-4 \
    --text "$train:0.5,chat:0.15,facts:0.35"
  once "$out/$name.found.json" eval "$out/$name" --text "$valid" --limit "${WINDOWS:-32}" --retrieval "${LENGTHS:-1024,2048}" --json "$out/$name.found.json"
  for text in handbook dictionary; do
    once "$out/$name.$text.json" eval "$out/$name" --text "$out/texts/$text.jsonl" --limit "${WINDOWS:-32}" --json "$out/$name.$text.json"
  done
done
python3 "$here/rivals.py" table "$out"
