#!/usr/bin/env bash
# The tables of docs/results.md: the default model as it is, with plans under 60 %, 30 % and 15 % of the KV memory at 2048 tokens, and with the
# paper's split (a third each of softmax, window, none by the removal score), before and after healing. Every step leaves its file in DIR and isn't
# done again while that is there; a day's work, most of it healing.
#   bench/results.sh DATA DIR      DATA: a folder with corpus/{train,valid}.jsonl and eval/*.jsonl
# TOKENS=N: what each plan is healed on (default 1.5M; 0: nothing is healed). LIMIT=N: only the first N items of each task (default: all).
# WINDOWS=N: of the text (default 64). Plans and healing see training text only.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,7s/^# //p' "$0"; exit 2; }
data=$1 out=$2 binary=${LAYERBOOST:-$(dirname "${BASH_SOURCE[0]}")/../build/release/layerboost} tokens_healed=${TOKENS:-1.5M}
mkdir -p "$out"

run() { # run FILE COMMAND...: unless FILE is there
  local file=$1
  shift
  [ -s "$file" ] || "$binary" "$@"
}

sweep="$out/analysis.json"
"$binary" analyze smollm2-135m -o "$sweep" --text "$data/corpus/train.jsonl" --tokens 8192 --retrieval-items 8 --window 64,256,512 --by kl,nll,retrieval,cosine >"$out/analysis.txt"
for share in 0.6 0.3 0.15; do
  run "$out/kv-$share.json" plan "$sweep" -o "$out/kv-$share.json" --kv $share --search joint --measurements 48 --text "$data/corpus/train.jsonl"
done
run "$out/paper.json" plan "$sweep" -o "$out/paper.json" --by-removal --softmax 10 --none 10

tasks=$(printf '%s,' "$data"/eval/*.jsonl)
measure() { # measure NAME MODEL [--plan PLAN]: quality and speed
  local name=$1
  shift
  run "$out/text.$name.json" eval "$@" --text "$data/corpus/valid.jsonl" --limit "${WINDOWS:-64}" --passkey 512,1024,2048 --json "$out/text.$name.json"
  run "$out/tasks.$name.json" eval "$@" --tasks "${tasks%,}" ${LIMIT:+--limit "$LIMIT"} --json "$out/tasks.$name.json"
  run "$out/speed.$name.json" bench "$@" --batch 64 --prompt 1024 --json "$out/speed.$name.json"
}
measure base smollm2-135m:base
for name in kv-0.6 kv-0.3 kv-0.15 paper; do
  measure $name smollm2-135m --plan "$out/$name.json"
  [ "$tokens_healed" = 0 ] && continue
  "$binary" heal smollm2-135m --plan "$out/$name.json" -o "$out/$name.healed" --text "$data/corpus/train.jsonl" --tokens "$tokens_healed" --lr 5e-4
  measure $name.healed "$out/$name.healed"
done
python3 "$(dirname "${BASH_SOURCE[0]}")/results_table.py" "$out" base kv-0.6 kv-0.3 kv-0.15 paper
[ "$tokens_healed" = 0 ] || python3 "$(dirname "${BASH_SOURCE[0]}")/results_table.py" "$out" base kv-0.6.healed kv-0.3.healed kv-0.15.healed paper.healed
