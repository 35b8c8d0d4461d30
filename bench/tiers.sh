#!/usr/bin/env bash
# Which mixer is best for the layers that aren't softmax: plans of equal memory with the same six softmax layers and `window`, `hybrid` or `gated` in all
# others, each healed on the same tokens; and whether `map` is better than `none` in four of them. Prints a table. Every step leaves its file in DIR and isn't
# done again while that is there; about two hours on two idle cores.
#   bench/tiers.sh DATA DIR      DATA: a folder with corpus/{train,valid}.jsonl
# TOKENS=N: what each plan is healed on (default 0.5M).
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,6s/^# //p' "$0"; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
data=$1 out=$2 binary=${LAYERBOOST:-$root/build/release/layerboost}
mkdir -p "$out"
"$binary" info smollm2-135m:base --json "$out/model.json" >/dev/null

make_plan() { # make_plan NAME MIDDLE [REMOVED]: JSON of the mixers of the middle layers and of layers 5, 6, 8 and 12
  python3 - "$out" "$@" <<'PYTHON'
import json, pathlib, sys
out, name, middle, *removed = sys.argv[1:]
out = pathlib.Path(out)
model = json.loads((out / "model.json").read_text())["model"]
mixers = [json.loads(middle)] * model["layers"]
for layer in (7, 18, 20, 21, 23, 24):
    mixers[layer] = {"mixer": "softmax"}
for layer in (5, 6, 8, 12) if removed else ():
    mixers[layer] = json.loads(removed[0])
plan = {"format": "layerboost-plan", "version": 1, "model": {"name": model["name"], "hash": model["hash"]},
        "layers": [{"layer": i, **mixer} for i, mixer in enumerate(mixers)]}
if removed and mixers[5]["mixer"] == "map":
    plan["maps"] = json.loads((out / "maps.json").read_text())["maps"]
(out / f"{name}.json").write_text(json.dumps(plan))
PYTHON
}

window='{"mixer": "window", "window": 256, "sinks": 4}'
"$binary" analyze smollm2-135m --to map,none --by kl --tokens 16384 --text "$data/corpus/train.jsonl" -o "$out/maps.json" >&2
make_plan window256 "$window"
make_plan hybrid61 '{"mixer": "hybrid", "window": 61, "sinks": 4}' # with its state as much memory as a window of 256
make_plan gated65 '{"mixer": "gated", "window": 65}'
make_plan none4 "$window" '{"mixer": "none"}'
make_plan map4 "$window" '{"mixer": "map"}'

evaluate() { # evaluate NAME MODEL
  [ -s "$out/text.$1.json" ] ||
    "$binary" eval "$2" --text "$data/corpus/valid.jsonl" --limit 64 --passkey 512,1024,2048 --json "$out/text.$1.json"
}

plans=(window256 hybrid61 gated65 none4 map4)
evaluate base smollm2-135m:base
for plan in "${plans[@]}"; do
  healed=$plan.healed
  "$binary" heal smollm2-135m --plan "$out/$plan.json" -o "$out/$healed" --text "$data/corpus/train.jsonl" --tokens "${TOKENS:-0.5M}" --lr 5e-4
  "$binary" info "$out/$healed" --context 2048 --json "$out/memory.$healed.json" >/dev/null
  evaluate $healed "$out/$healed"
done
python3 "$root/bench/results_table.py" "$out" base "${plans[@]/%/.healed}"
