#!/usr/bin/env bash
# Everything that is checked, from a bare Debian on: packages, default model; tests in release, at every instruction level that the CPU has, under
# AddressSanitizer and UBSan, and under ThreadSanitizer; a server under everything at once; Clang's warnings and lint; a plain build; includes; format; figures. Ends with "N passed, N failed, N skipped",
# summed over all runs of ctest; a check without tests counts as one failed where it fails. Exit code 0 only without failures.
#   scripts/test.sh
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passed=0 failed=0 skipped=0 failures=()
cores=$(nproc) # found before OMP_NUM_THREADS is 1 for ThreadSanitizer: nproc says no more than that
export OMP_WAIT_POLICY=passive # several tests share the cores

# check LABEL COMMAND...: runs it; says how long it took; counts a failure.
check() {
  local label=$1 start=$SECONDS status=0
  shift
  "$@" || status=$?
  if [ $status -eq 0 ]; then echo "== $label: good, $((SECONDS - start)) s"; else
    echo "== $label: FAILED, $((SECONDS - start)) s"
    failed=$((failed + 1)) failures+=("$label")
  fi
  return $status
}

# attribute NAME FILE: the number that a JUnit file's first tag gives under this name.
attribute() { grep -o -m 1 "\b$1=\"[0-9]*\"" "$2" | head -n 1 | tr -dc 0-9; }

# run_tests LABEL PRESET [CTEST_ARGUMENT...]: runs ctest in build/PRESET and adds to the sums.
run_tests() {
  local label=$1 preset=$2 start=$SECONDS
  shift 2
  local results=$PWD/build/$preset/results.xml log=build/$preset/ctest.log
  rm -f "$results"
  ctest --test-dir "build/$preset" -j "$cores" --output-on-failure --no-tests=error --output-junit "$results" "$@" >"$log" 2>&1
  if [ ! -s "$results" ] || [ "$(attribute tests "$results")" -eq 0 ]; then
    cat "$log"
    echo "== tests, $label: FAILED to run"
    failed=$((failed + 1)) failures+=("tests, $label")
    return
  fi
  local all bad off
  all=$(attribute tests "$results") bad=$(attribute failures "$results")
  off=$(($(attribute skipped "$results") + $(attribute disabled "$results")))
  [ "$bad" -eq 0 ] || grep -v ' Passed \| Start ' "$log"
  passed=$((passed + all - bad - off)) failed=$((failed + bad)) skipped=$((skipped + off))
  while IFS= read -r name; do failures+=("$label: $name"); done < <(sed -n 's/^\t *[0-9]* - \(.*\) (\(Failed\|Timeout\|SEGFAULT\|.*Exception.*\|Subprocess.*\))$/\1/p' "$log")
  echo "== tests, $label: $((all - bad - off)) passed, $bad failed, $off skipped, $((SECONDS - start)) s"
  [ "$off" -eq 0 ] || sed -n 's/^\t *[0-9]* - \(.*\) (Skipped)$/   skipped: \1/p' "$log"
}

build() { scripts/build.sh "$@" >"build/$1.log" 2>&1 || { grep -B 2 -A 12 'error\|FAILED' "build/$1.log" | head -n 80; false; }; }

# Whether `cmake -B build && cmake --build build` would work, without a preset: configures all, with CMake's own generator
# and each source by itself, but builds base/ alone, for everything else is compiled above. What breaks only where sources
# are compiled by themselves, a missing include, shows in the check of the includes, of what changed lately.
plain_build() {
  { cmake --fresh -B build/plain && cmake --build build/plain -j "$cores" --target lb_base; } >build/plain.log 2>&1 || { tail -n 40 build/plain.log; false; }
}

mkdir -p build
check packages scripts/setup.sh test || exit 1
check "default model" scripts/get-model.sh
[ -d ../shared ] || echo "   reference data is absent (it isn't part of the repository): tests that compare with it are skipped"

check "release build" build release && {
  run_tests release release
  check soak bench/serve/soak.sh 20 smollm2-135m --plan bench/plans/bold.json --kv int8 --memory 6M
  check "soak with levels" bench/serve/soak.sh 15 smollm2-135m --levels auto --memory 32M --cooldown 0.2
  grep -q avx512_bf16 /proc/cpuinfo && LAYERBOOST_ISA=avx2 ONEDNN_MAX_CPU_ISA=AVX2 run_tests "release, AVX2 only" release -L '^(kernels|mixer|model|generate|heal)$'
}
# Killed: hundreds of runs, of which others of the same commands are watched.
check "asan build" build asan && run_tests "AddressSanitizer and UBSan" asan -E '^Killed\.'
# libgomp and MPI aren't made for ThreadSanitizer: the folders whose threads are std::thread, with one of OpenMP's. Most of the
# server's tests have threads; elsewhere those that have some are named so.
check "tsan build" build tsan base_test text_test engine_test server_test && {
  OMP_NUM_THREADS=1 run_tests "ThreadSanitizer, the server" tsan -L '^server$'
  OMP_NUM_THREADS=1 run_tests "ThreadSanitizer, other threads" tsan -L '^(base|text|engine)$' -R Thread
}
check clang-tidy scripts/lint.sh
check "plain build" plain_build
check "includes of what changed lately" scripts/check-includes.sh --recent
check format scripts/format.sh --check
check "figures of the docs" python3 bench/figures.py --check

[ ${#failures[@]} -eq 0 ] || printf '   failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
