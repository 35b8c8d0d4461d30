#!/usr/bin/env bash
# One step of healing, in layerboost and in PyTorch with transformers, one after the other on this machine: the default model's shape, bf16, sequences of
# 512 tokens, 4096 tokens a step, LoRA 16 on the same products.
#   bench/healing/run.sh PLAN TEXT
# THREADS=N: default 2.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
binary=${LAYERBOOST:-$here/../../build/release/layerboost}
threads=${THREADS:-2}
environment=${XDG_CACHE_HOME:-$HOME/.cache}/layerboost/export/venv # as bench/export/check.sh makes it
[ -x "$environment/bin/python" ] || { echo "run.sh: no torch in $environment: run bench/export/check.sh once" >&2; exit 1; }
"$binary" heal smollm2-135m --plan "$1" --text "$2" --length 512 --batch 4096 --rank 16 --threads "$threads" --profile
"$environment/bin/python" "$here/torch_step.py" --length 512 --batch 4096 --rank 16 --threads "$threads"
