"""Compares lm-evaluation-harness' results (a folder that it wrote, with samples) with `layerboost eval --json`: each item must be answered alike.
Of the chats that were held to a letter, or to JSON with one, each must have answered in that form."""

import glob
import json
import sys

folder, ours_path = sys.argv[1:]


def samples_of(task):
    (path,) = glob.glob(f"{folder}/**/samples_{task}_*.jsonl", recursive=True)
    with open(path) as file:
        return sorted((json.loads(line) for line in file), key=lambda sample: sample["doc_id"])


def letter_in(answer):
    """The letter of {"letter": ...}; of any other answer its repr, which is no letter."""
    try:
        ((name, letter),) = json.loads(answer).items()
    except (ValueError, AttributeError):
        return repr(answer)
    return letter if name == "letter" else repr(answer)


theirs = samples_of("items")
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
for task, read in (("letters", str), ("json_letters", letter_in)):
    samples = samples_of(task)
    answers = [read(sample["filtered_resps"][0]) for sample in samples]
    others = [answer for answer in answers if answer not in list("ABCDEFGH")]
    right = sum(answer == sample["doc"]["letter"] for answer, sample in zip(answers, samples))
    print(f"{task} by chat: {right / len(samples):.4f} right; {len(samples)} items, {len(others)} answered with something else {others or ''}")
    failed = failed or len(samples) != len(theirs) or bool(others)
sys.exit(1 if failed else 0)
