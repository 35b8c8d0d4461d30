#!/usr/bin/env bash
# What the default model with its shipped plan (models/smollm2-135m, healed) writes and predicts, beside the unchanged model: the quality rows
# that README's figures link to, for the configurations whose speed it quotes. Perplexity of three kinds of text at 1024 and 4096 tokens of
# context, and five wordings of a fact far back (wordings.py). What is in DIR isn't measured again; hours on a busy machine.
#   bench/quality/shipped.sh DATA DIR      DATA: a folder with corpus/valid.jsonl (a textbook; "text" in each line)
# PRECISIONS="bf16 int8": which (int8: keys and values too).
# WINDOWS=N: tokens of each text in windows of 1024 (default 32); ITEMS=N: of each wording and length (default 8).
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
data=$1 out=$2 root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${LAYERBOOST:-$root/build/release/layerboost} windows=${WINDOWS:-32}
mkdir -p "$out"
here=$root/bench/quality
[ -s "$out/texts/dictionary.jsonl" ] || python3 "$here/texts.py" "$out/texts"

standard=$root/models/smollm2-135m
declare -A model=([base]=smollm2-135m [standard]=$standard)
for precision in ${PRECISIONS:-bf16 int8}; do
  flags=(--precision $precision)
  [ $precision = bf16 ] || flags+=(--kv int8)
  for text in "$data/corpus/valid.jsonl" "$out"/texts/*.jsonl; do
    for context in 1024 4096; do # of a healed directory eval measures the unchanged model, too
      file=$out/$precision.$(basename "$text" .jsonl).$context.json
      [ -s "$file" ] || "$binary" eval "$standard" "${flags[@]}" --text "$text" --context $context --limit $((windows * 1024 / context)) --json "$file"
    done
  done
  for name in base standard; do
    file=$out/$precision.wordings.$name.json
    [ -s "$file" ] || (
      source "$root/bench/serve/common.sh"
      start_server "${model[$name]}" "${flags[@]}"
      python3 "$here/wordings.py" "$url" --text "$data/corpus/valid.jsonl" --items "${ITEMS:-8}" --json "$file"
    )
  done
done
python3 "$here/table.py" "$out"
