#!/usr/bin/env bash
# Reads each source and each test by itself, without compiling it to the end: it and the headers that it includes must
# include what they use, or a build without unity fails. Prints what is missing; exit code 0 only where nothing is.
#   scripts/check-includes.sh [--recent | FILE...]
# Default: all of src/, examples/ and fuzz/, many minutes on two cores. --recent: the 20 that changed last, by git, and
# all of fuzz/, which no other check compiles.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -d build/release/generated ] || cmake --preset release --log-level=WARNING >/dev/null # version.h
files=("$@")
if [ $# -eq 0 ] || [ "$1" = --recent ]; then
  mapfile -t files < <(find src examples -name '*.cc' | sort)
  if [ "${1:-}" = --recent ]; then
    mapfile -t files < <(git log --format= --name-only -n 300 -- "${files[@]}" | awk 'NF && !seen[$0]++' | head -n 20)
  fi
  files+=(fuzz/*.cc)
fi
flags=(-std=c++20 -fopenmp -fsyntax-only -w -x c++ -Isrc -Iinclude -Ibuild/release/generated/include -isystem /usr/include/eigen3 -mavx2 -mfma -DLB_ISA=avx2 -DLAYERBOOST_MPI "-DLAYERBOOST_SOURCE_DIR=\"$PWD\"" $(pkg-config --cflags ompi-cxx 2>/dev/null || true))
[ ${#files[@]} -eq 0 ] || printf '%s\0' "${files[@]}" | xargs -0 -r -n 1 -P "$(nproc)" "${CXX:-g++}" "${flags[@]}"
