"""Compares lm-evaluation-harness' results (a folder that it wrote, with samples) with `layerboost eval --json`: each item must be answered alike."""

import glob
import json
import sys

folder, ours_path = sys.argv[1:]
(path,) = glob.glob(f"{folder}/**/samples_items_*.jsonl", recursive=True)
with open(path) as file:
    theirs = sorted((json.loads(line) for line in file), key=lambda sample: sample["doc_id"])
with open(ours_path) as file:
    ours = json.load(file)["tasks"]["items"]
failed = False
for measure in ("acc", "acc_norm"):
    marks = "".join(str(int(sample[measure])) for sample in theirs)
    mine = ours[measure + "_items"]
    other = [i for i, (a, b) in enumerate(zip(marks, mine)) if a != b]
    print(f"{measure}: lm-evaluation-harness through the server {marks.count('1') / len(marks):.4f}, layerboost eval {ours[measure]:.4f}; "
          f"{len(marks)} items, {len(other)} answered otherwise {other or ''}")
    failed = failed or len(marks) != len(mine) or bool(other)
sys.exit(1 if failed else 0)
