"""Compares lm-evaluation-harness' results (a folder that it wrote) with `layerboost eval --json`: both accuracies must be the same."""

import glob
import json
import sys

folder, ours_path = sys.argv[1:]
(path,) = glob.glob(f"{folder}/**/results_*.json", recursive=True)
with open(path) as file:
    theirs = json.load(file)["results"]["items"]
with open(ours_path) as file:
    ours = json.load(file)["tasks"]["items"]
failed = False
for measure in ("acc", "acc_norm"):
    mean = ours[measure]
    print(f"{measure}: lm-evaluation-harness through the server {theirs[measure + ',none']:.6f}, layerboost eval {mean:.6f}")
    failed = failed or abs(theirs[measure + ",none"] - mean) > 1e-9
sys.exit(1 if failed else 0)
