#!/usr/bin/env bash
# Measures the peers on the default model, one JSON line per test (keys: table.py), and prints a table at the end.
#   bench/peers/run.sh [--quick | --cell PROMPT:SEQUENCES] [--only PART[,PART...]] [--threads N] [--out FILE.jsonl] [--lines]
# Parts: llama-bench    llama.cpp, single stream: a prompt of 512; 128 tokens from nothing; Q4_1, Q8_0, BF16
#        llama-batched  llama.cpp, 1, 16 and 64 sequences of 1024 tokens generating 32 each; Q8_0, BF16
#        openvino       OpenVINO GenAI, the same tests by continuous batching; int8 weights from the Q8_0 file
# llama.cpp runs with flash attention off and on, OpenVINO in bf16 and f32; the lines hold both, the table the faster.
# --quick checks that everything works in about a minute (fewer sequences, shorter); --threads: default one per CPU.
# --cell: instead of all that prompts of this length for these numbers of sequences (4096:1,64), BF16 with flash attention; OpenVINO in bf16.
# --lines: no table, no word on a busy machine (for compare.sh, which calls this after other measurements).
# --out: default peers.jsonl in the cache directory; written anew. Takes about 10 minutes on 2 idle cores; needs setup.sh once.
# Environment: LAYERBOOST_PEERS as in setup.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

quick=0 cell= lines=0
parts=
threads=$(nproc)
out=$peers/peers.jsonl
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --lines) lines=1 ;;
    --cell | --only | --threads | --out)
      [ $# -ge 2 ] || fail "$1 wants a value" 2
      case $1 in
        --cell) cell=$2 ;;
        --only) parts=$2 ;;
        --threads) threads=$2 ;;
        --out) out=$2 ;;
      esac
      shift
      ;;
    *) fail "unknown argument '$1'; usage: run.sh [--quick | --cell PROMPT:SEQUENCES] [--only PART[,PART...]] [--threads N] [--out FILE.jsonl] [--lines]" 2 ;;
  esac
  shift
done
[ -n "$parts" ] || { [ -n "$cell" ] && parts=llama-batched,openvino || parts=llama-bench,llama-batched,openvino; }
[[ -z $cell || $cell =~ ^[1-9][0-9]*:[1-9][0-9]*(,[1-9][0-9]*)*$ ]] || fail "--cell wants PROMPT:SEQUENCES[,SEQUENCES...], got '$cell'" 2
[ -z "$cell" ] || [ $quick = 0 ] || fail "--quick and --cell exclude each other" 2
[[ $threads =~ ^[1-9][0-9]*$ ]] || fail "--threads wants a number from 1 up, got '$threads'" 2

# measure LABEL COMMAND...: runs it, its standard output through; its messages go to a log that is shown only on failure.
log=$peers/run.log
measure() {
  echo "run: $1" >&2
  shift
  "$@" 2>"$log" || {
    tail -n 20 "$log" >&2
    fail "failed: $*"
  }
}

as_lines() { "$python" "$here/llama_lines.py" --format "$1" --version "$llama_commit"; }

run_llama_bench() {
  local generate=128 repeat=5 format
  if [ $quick = 1 ]; then generate=32 repeat=1; fi
  for format in Q4_1 Q8_0 BF16; do
    measure "llama-bench, $format" "$llama_bin/llama-bench" -m "$(model_file $format)" -t "$threads" -p 512 -n $generate \
      -fa 0,1 -r $repeat -o jsonl | as_lines $format
  done
}

run_llama_batched() {
  local prompt=1024 generate=32 sequences=1,16,64 formats=(Q8_0 BF16) flashes=(off on) format flash
  if [ $quick = 1 ]; then prompt=256 generate=8 sequences=1,4; fi
  if [ -n "$cell" ]; then prompt=${cell%:*} sequences=${cell#*:} formats=(BF16) flashes=(on); fi
  for format in "${formats[@]}"; do
    for flash in "${flashes[@]}"; do
      # Each sequence gets an equal share of the context, rounded up to 256.
      measure "llama-batched-bench, $format, flash attention $flash, $prompt tokens" "$llama_bin/llama-batched-bench" \
        -m "$(model_file $format)" -t "$threads" -c $((${sequences##*,} * ((prompt + generate + 255) / 256) * 256)) -npp $prompt \
        -ntg $generate -npl $sequences -fa $flash --output-format jsonl | as_lines $format
    done
  done
}

openvino_tests() { # INFERENCE TEST...
  local inference=$1 test tests=()
  shift
  for test; do tests+=(--test "$test"); done
  measure "OpenVINO GenAI, $inference, $*" "$python" "$here/openvino_bench.py" --model "$(model_file Q8_0)" --format Q8_0 --threads "$threads" \
    --inference "$inference" "${tests[@]}"
}

run_openvino() {
  local inference counts
  if [ -n "$cell" ]; then
    IFS=, read -ra counts <<<"${cell#*:}"
    openvino_tests bf16 "${counts[@]/#/${cell%:*},32,}"
    return
  fi
  for inference in bf16 f32; do
    if [ $quick = 1 ]; then
      openvino_tests $inference 512,32,1 1,32,1 256,8,1 256,8,4
    else
      openvino_tests $inference 512,128,1 1,128,1 1024,32,1 1024,32,16 1024,32,64
    fi
  done
}

for needed in "$python" "$llama_bin"/llama-{bench,batched-bench} "$(model_file Q4_1)" "$(model_file Q8_0)" "$(model_file BF16)"; do
  [ -e "$needed" ] || fail "$needed is missing; run bench/peers/setup.sh"
done
IFS=, read -ra chosen <<<"$parts"
for part in "${chosen[@]}"; do
  case $part in
    llama-bench | llama-batched | openvino) ;;
    *) fail "unknown part '$part'; there are llama-bench, llama-batched, openvino" 2 ;;
  esac
done
[ $lines = 1 ] || check_idle

: >"$out"
for part in "${chosen[@]}"; do
  "run_${part//-/_}" >>"$out"
done
[ $lines = 1 ] || "$python" "$here/table.py" "$out"
echo "run: lines in $out" >&2
