#!/usr/bin/env bash
# What a planned model writes, finds and predicts, beside the unchanged model: the rows that README's figures link to, for the configurations whose
# speed it quotes. Perplexity of three kinds of text at 1024 and 4096 tokens of context; facts far back in the 18 wordings that report, plain and in
# a chat; greedy texts. What is in DIR isn't measured again; an hour a precision.
#   bench/quality/shipped.sh DATA DIR      DATA: a folder with corpus/valid.jsonl (a textbook; "text" in each line)
# MODEL=DIR: a healed directory (default: models/smollm2-135m). PRECISIONS="bf16 int8": which (int8: keys and values too).
# WINDOWS=N: tokens of each text in windows of 1024 (default 32); LENGTHS=1024,2048: of the texts that facts are in; PROMPTS=N: greedy texts of
# each form (default 64).
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
data=$1 out=$2 root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=${LAYERBOOST:-$root/build/release/layerboost} windows=${WINDOWS:-32}
mkdir -p "$out"
here=$root/bench/quality model=${MODEL:-$root/models/smollm2-135m} valid=$data/corpus/valid.jsonl
[ -s "$out/texts/dictionary.jsonl" ] || python3 "$here/texts.py" "$out/texts"

measure() { # measure FILE FLAGS...: unless FILE is there; of a healed directory eval measures the unchanged model, too
  local file=$1
  shift
  [ -s "$file" ] || "$binary" eval "$model" "${flags[@]}" "$@" --json "$file"
}

for precision in ${PRECISIONS:-bf16 int8}; do
  flags=(--precision $precision)
  [ $precision = bf16 ] || flags+=(--kv int8)
  measure "$out/$precision.found.json" --text "$valid" --limit 1 --retrieval "${LENGTHS:-1024,2048}" --agreement "${PROMPTS:-64}"
  for text in "$valid" "$out"/texts/*.jsonl; do
    for context in 1024 4096; do
      measure "$out/$precision.$(basename "$text" .jsonl).$context.json" --text "$text" --context $context --limit $((windows * 1024 / context))
    done
  done
done
python3 "$here/table.py" "$out"
