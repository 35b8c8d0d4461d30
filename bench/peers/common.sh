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
