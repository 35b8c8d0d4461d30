#!/usr/bin/env bash
# Takes a healed directory over into models/NAME, or models/NAME-VARIANT, so that it comes with the program as NAME or NAME:VARIANT: plan, adapter,
# record and log, without the paths of this machine.
#   scripts/ready-made.sh HEALED NAME [VARIANT]      such as: scripts/ready-made.sh out/standard smollm2-135m
# NAME is the MODEL that the base model is found by (layerboost eval NAME). `boost` takes the plan without VARIANT.
set -euo pipefail
[ $# -eq 2 ] || [ $# -eq 3 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=${LAYERBOOST:-$root/build/release/layerboost}
target=$root/models/$2${3:+-$3}
"$binary" info "$1" >/dev/null # its hashes are right
mkdir -p "$target"
cp "$1/adapter.safetensors" "$target/"
for file in "$1"/plan.*safetensors; do [ ! -e "$file" ] || cp "$file" "$target/"; done
python3 - "$1" "$target" "$2" <<'PYTHON'
import json, pathlib, re, sys

source, target, name = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]


def without_paths(value):
    if isinstance(value, dict):
        return {key: without_paths(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_paths(part) for part in value]
    return re.sub(r"(?<![\w.])/[^\s,']*/", "", value) if isinstance(value, str) else value


record = without_paths(json.loads((source / "heal.json").read_text()))
record["model"].update(name=name, path="")
(target / "heal.json").write_text(json.dumps(record, indent=2) + "\n")
plan = (source / "plan.json").read_text()
(target / "plan.json").write_text(re.sub(r'"command": "[^"]*"', lambda found: without_paths(found.group()), plan))
if (source / "log.jsonl").exists():
    (target / "log.jsonl").write_text((source / "log.jsonl").read_text())
PYTHON
"$binary" info "$target"
du -sh "$target"
