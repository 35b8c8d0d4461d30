#!/usr/bin/env bash
# Takes a healed directory or a ladder over into models/NAME, or models/NAME-VARIANT, so that it comes with the program as NAME or NAME:VARIANT: its files
# without the paths of this machine.
#   scripts/ready-made.sh DIR NAME [VARIANT]      such as: scripts/ready-made.sh out/standard smollm2-135m; scripts/ready-made.sh ladder smollm2-135m ladder
# NAME is the MODEL that the base model is found by (layerboost eval NAME). `boost` takes the plan without VARIANT, `serve --levels` the ladder of that name.
set -euo pipefail
[ $# -eq 2 ] || [ $# -eq 3 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=${LAYERBOOST:-$root/build/release/layerboost}
target=$root/models/$2${3:+-$3}
"$binary" info "$1" >/dev/null # its hashes are right
mkdir -p "$target"
for file in "$1"/adapter.safetensors "$1"/plan.*safetensors "$1"/log.jsonl; do [ ! -e "$file" ] || cp "$file" "$target/"; done
python3 - "$1" "$target" "$2" <<'PYTHON'
import pathlib, re, sys

source, target, name = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]


def without_paths(text):
    """Of each string in a JSON file, the paths' last parts; the model by its name alone."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', lambda string: re.sub(r"(?<![\w./])/[^\s,'\"]*/", "", string.group()), text)
    return re.sub(r'("model": \{\s*"name": )"[^"]*"(,\s*"path": )"[^"]*"', rf'\1"{name}"\2""', text, count=1)


for file in ["heal.json", "plan.json", "ladder.json"]:
    if (source / file).exists():
        (target / file).write_text(without_paths((source / file).read_text()))
PYTHON
"$binary" info "$target"
du -sh "$target"
