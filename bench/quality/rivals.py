#!/usr/bin/env python3
"""What bench/quality/rivals.sh needs beside the program.

    rivals.py plan hand|even|answers PLAN [ANALYSIS]    a plan with softmax in six layers and windows of 256 in all others
    rivals.py table DIR                                 what each healed plan in DIR loses
"""

import json
import pathlib
import sys

LAYERS = 30
HASH = "sha256:f058d52309989d26d28070155080e914e168347126062ed8312c17c9d73d5f5c"
RULES = {"hand": [7, 18, 20, 21, 23, 24], "even": [2, 7, 12, 17, 22, 27]}
NAMES = ("layer", "head", "hand", "even", "removal", "answers")


def load(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def costliest_for_answers(analysis):
    """The six layers whose window costs the answers to questions about facts most log-probability."""
    losses = [layer["choices"]["window:256+4"]["retrieval"]["mean"] for layer in load(analysis)["layers"]]
    return sorted(range(LAYERS), key=lambda layer: -losses[layer])[:6]


def make_plan(rule, path, analysis=None):
    softmax = costliest_for_answers(analysis) if rule == "answers" else RULES[rule]
    layers = [
        {"layer": layer, "mixer": "softmax"} if layer in softmax else {"layer": layer, "mixer": "window", "window": 256, "sinks": 4}
        for layer in range(LAYERS)
    ]
    plan = {"format": "layerboost-plan", "version": 1, "model": {"name": "SmolLM2 135M", "hash": HASH}, "layers": layers}
    pathlib.Path(path).write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")


def text_cell(path):
    if not path.exists():
        return ""
    result = load(path)["kl"]
    return f"{result['nll_change']:+.4f} ± {result['nll_change_stderr']:.4f}; {result['mean']:.4f}"


def found_cell(result):
    return "; ".join(f"{100 * result[form]['kept']:.0f} % ({100 * result[form]['kept_worst']:.0f} %)" for form in ("plain", "chat"))


def table(folder):
    folder = pathlib.Path(folder)
    rows = []
    for name in NAMES:
        found = folder / f"{name}.found.json"
        if not found.exists():
            continue
        healed = load(folder / name / "heal.json")["figures"]
        result = load(found)
        cells = {
            "plan": name,
            "KV memory": f"{100 * result['memory']['fraction']:.1f} %" if "memory" in result else "",
            "held-out KL, before and healed": f"{healed['before']['kl']:.3f}, {healed['after']['kl']:.3f}",
            "textbook: change of NLL; KL": text_cell(found),
            "handbook": text_cell(folder / f"{name}.handbook.json"),
            "dictionary": text_cell(folder / f"{name}.dictionary.json"),
        }
        for entry in result["retrieval"]:
            cells[f"facts in {entry['length']} kept, plain; chat (worst wording)"] = found_cell(entry)
        rows.append(cells)
    if not rows:
        sys.exit(f"rivals.py: {folder} has no results")
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        print("| " + " | ".join(row.values()) + " |")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["plan", "hand" | "even" as rule, path]:
            make_plan(rule, path)
        case ["plan", "answers", path, analysis]:
            make_plan("answers", path, analysis)
        case ["table", folder]:
            table(folder)
        case _:
            sys.exit(__doc__)
