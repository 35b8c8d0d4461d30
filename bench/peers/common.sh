# What setup.sh and run.sh share: versions, places, and how they complain. Sourced, not run.

llama_package=0.3.36    # llama-cpp-python: its source package carries llama.cpp whole, in vendor/llama.cpp
llama_commit=0c1e57098  # the llama.cpp commit in it, by its CHANGELOG.md
llama_sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
openvino_genai=2026.4.1.0
openvino=2026.4.1
openvino_tokenizers=2026.4.1.0
matplotlib=3.11.2        # draws the comparison

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/layerboost
peers=${LAYERBOOST_PEERS:-$cache/peers}
model=$cache/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf # as scripts/get-model.sh puts it there
python=$peers/openvino/bin/python
llama_bin=$peers/llama.cpp/build/bin

# The file of the default model in one format: Q4_1 (as published), BF16 or Q8_0 (made from it by setup.sh).
model_file() {
  if [ "$1" = Q4_1 ]; then echo "$model"; else echo "$peers/models/SmolLM2-135M-Instruct.$1.gguf"; fi
}

# fail MESSAGE [EXIT_CODE]: one line, then the end.
fail() {
  echo "$(basename "$0"): $1" >&2
  exit "${2:-1}"
}

# check_idle: tells where what else runs would spoil the figures.
check_idle() {
  local load
  read -r load _ </proc/loadavg
  [ "${load%.*}" -lt 1 ] || echo "$(basename "$0"): the machine is busy (load $load): figures will be too low, llama.cpp's by far (its threads spin)" >&2
}

# For comparisons that keep each result in a folder $out.
# binary_stamp: which build of layerboost is compared.
binary_stamp() { echo "layerboost $(sha256sum <"$binary" | cut -c1-12)"; }

# begin_in WHAT: makes $out, or ends the script where it holds results of something else than WHAT.
begin_in() {
  mkdir -p "$out"
  [ ! -e "$out/made-from" ] || [ "$(cat "$out/made-from")" = "$1" ] ||
    fail "$out holds results of '$(cat "$out/made-from")', not of '$1': give another --out" 2
  echo "$1" >"$out/made-from"
}

# keep_plan PLAN: copies it into $out, and puts its name into $plan_name: the file's, or its folder's where the file is plan.json.
keep_plan() {
  [ -s "$1" ] || fail "there is no plan $1" 2
  plan_name=$(basename "$1" .json)
  [ "$plan_name" != plan ] || plan_name=$(basename "$(dirname "$(realpath "$1")")")
  [ -e "$out/$plan_name.plan" ] || cp "$1" "$out/$plan_name.plan"
  cmp -s "$1" "$out/$plan_name.plan" || fail "$out holds another plan named $plan_name: rename $1, or give another --out" 2
}
