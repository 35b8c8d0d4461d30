#!/usr/bin/env bash
# Prepares the peers that layerboost is compared with: llama.cpp (built for this CPU), OpenVINO GenAI (wheels in a virtual
# environment), and the default model in the formats they read. Does nothing when all is there; goes on where it was
# interrupted. The first run fetches about 150 MB and compiles for 5 to 15 minutes on 2 cores.
#   bench/peers/setup.sh           (a niced build: nice -n 15 bench/peers/setup.sh)
# Environment: LAYERBOOST_PEERS, where everything goes (default ${XDG_CACHE_HOME:-~/.cache}/layerboost/peers);
#              JOBS, compilers at a time (default: one per CPU).
# Needs g++, cmake, ninja, python3 with venv, and the default model (scripts/get-model.sh fetches it).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

targets=(llama-bench llama-batched-bench llama-perplexity llama-server llama-quantize)
options=(
  -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON
  -DGGML_CCACHE=OFF                                       # code for this very CPU does not belong into a cache of objects
  -DLLAMA_OPENSSL=OFF -DLLAMA_USE_PREBUILT_UI=OFF         # nothing is fetched, neither now nor later
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF
  -DLLAMA_BUILD_NUMBER=0 -DLLAMA_BUILD_COMMIT="$llama_commit" # otherwise asked of git, which is not there
)

# A stamp is a file beside what was made, holding what it was made from; so it goes when that is deleted.
# stamped FILE INPUTS: whether FILE says so. put_stamp FILE INPUTS: writes it.
stamped() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
put_stamp() { echo "$2" >"$1.tmp" && mv "$1.tmp" "$1"; }

# What -march=native depends on: a cache directory that was moved to another CPU is built again.
cpu_stamp() {
  { uname -m; grep -m1 '^flags' /proc/cpuinfo || true; } | sha256sum | cut -c1-16
}

prepare_openvino() {
  local wheels=("openvino==$openvino" "openvino-genai==$openvino_genai" "openvino-tokenizers==$openvino_tokenizers" "matplotlib==$matplotlib")
  local stamp
  stamp="${wheels[*]} $(python3 --version)"
  if stamped "$peers/openvino/.made-from" "$stamp"; then return; fi
  echo "setup: OpenVINO GenAI $openvino_genai"
  python3 -m venv --clear "$peers/openvino" || fail "python3 cannot make virtual environments; install python3-venv"
  "$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: "${wheels[@]}" ||
    fail "pip could not install ${wheels[*]}; is the network there?"
  "$python" -c 'import openvino_genai' || fail "the installed openvino_genai does not import"
  put_stamp "$peers/openvino/.made-from" "$stamp"
}

fetch_llama_source() {
  local archive=llama_cpp_python-$llama_package.tar.gz
  local stamp="$llama_package $llama_sha256"
  if stamped "$peers/llama.cpp/src/.made-from" "$stamp"; then return; fi
  echo "setup: llama.cpp $llama_commit (source package of llama-cpp-python $llama_package, 77 MB)"
  local temporary
  temporary=$(mktemp -d "$peers/.fetch.XXXXXX")
  trap "rm -rf '$temporary'" EXIT
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python --dest "$temporary" \
    "llama-cpp-python==$llama_package" || fail "pip could not fetch llama-cpp-python $llama_package; is the network there?"
  echo "$llama_sha256  $temporary/$archive" | sha256sum --check --status ||
    fail "$archive has the wrong SHA-256; nothing was kept"
  tar -xzf "$temporary/$archive" -C "$temporary" --strip-components=2 "llama_cpp_python-$llama_package/vendor/llama.cpp"
  rm -rf "$peers/llama.cpp"
  mkdir "$peers/llama.cpp"
  put_stamp "$temporary/llama.cpp/.made-from" "$stamp"
  mv "$temporary/llama.cpp" "$peers/llama.cpp/src"
  rm -rf "$temporary"
}

build_llama() {
  local stamp
  stamp="$llama_sha256 $(cpu_stamp) ${options[*]} ${targets[*]}"
  local build=$peers/llama.cpp/build log=$peers/llama.cpp/build.log
  if stamped "$build/.made-from" "$stamp"; then return; fi
  echo "setup: building llama.cpp (its messages: $log)"
  if ! stamped "$build/.making-from" "$stamp"; then # otherwise an interrupted build goes on
    rm -rf "$build"
    mkdir "$build"
    put_stamp "$build/.making-from" "$stamp"
  fi
  { cmake -S "$peers/llama.cpp/src" -B "$build" -G Ninja "${options[@]}" &&
    cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target "${targets[@]}"; } >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    fail "llama.cpp did not build; the whole log: $log"
  }
  put_stamp "$build/.made-from" "$stamp"
}

# BF16 and Q8_0 come from the published Q4_1, so all formats hold the same rounded weights (but for Q8_0's own rounding).
prepare_models() {
  local stamp format file
  stamp="$(stat --format='%s %Y' "$model") $llama_sha256"
  mkdir -p "$peers/models"
  for format in BF16 Q8_0; do
    file=$(model_file "$format")
    if [ -f "$file" ] && stamped "$file.made-from" "$stamp"; then continue; fi
    echo "setup: the model in $format"
    "$llama_bin/llama-quantize" --allow-requantize "$model" "$file.tmp" "$format" >"$peers/models/quantize.log" 2>&1 ||
      fail "llama-quantize failed; its log: $peers/models/quantize.log"
    mv "$file.tmp" "$file"
    put_stamp "$file.made-from" "$stamp"
  done
}

[ $# -eq 0 ] || fail "takes no arguments, got '$*'; see the head of the file" 2
for tool in c++ cmake ninja python3; do
  command -v "$tool" >/dev/null || fail "$tool is missing; run scripts/setup.sh"
done
"$here/../../scripts/get-model.sh"
mkdir -p "$peers"
exec 9>"$peers/.lock"
flock 9 # a second setup waits for the first, then finds everything done
rm -rf "$peers"/.fetch.* # of a run that was killed
prepare_openvino
fetch_llama_source
build_llama
prepare_models
echo "setup: the peers are ready in $peers"
