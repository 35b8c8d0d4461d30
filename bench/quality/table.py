#!/usr/bin/env python3
"""The tables of what bench/quality/shipped.sh left in DIR: table.py DIR"""

import json
import pathlib
import sys

TEXTS = {"valid": "a textbook", "handbook": "a handbook", "dictionary": "a dictionary"}


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def text_rows(folder, precision):
    for name, label in TEXTS.items():
        for context in (1024, 4096):
            path = folder / f"{precision}.{name}.{context}.json"
            if not path.exists():
                continue
            result = load(path)
            change, error = result["kl"]["nll_change"], result["kl"]["nll_change_stderr"]
            after = result["perplexity"]["ppl"]
            base = after / 2.718281828459045**change
            yield [precision, label, context, f"{base:.2f}", f"{after:.2f}", f"{change:+.4f} ± {error:.4f}", f"{100 * (after / base - 1):+.1f} %"]


def percent(share):
    return f"{100 * share:.0f} %"


def found_rows(folder, precision):
    """By kind and in all: what is found of it plain and in a chat, unchanged and planned."""
    path = folder / f"{precision}.found.json"
    if not path.exists():
        return
    for result in load(path)["retrieval"]:
        rows = result["wordings"]
        for kind in [*dict.fromkeys(row["kind"] for row in rows), "all"]:
            cells = []
            for chat in (False, True):
                own = [row for row in rows if row["chat"] == chat and kind in (row["kind"], "all")]
                base, plan = (sum(row[key] for row in own) / len(own) for key in ("unchanged_found", "found"))
                cells += [percent(base), percent(plan)]
            yield [precision, kind, result["length"], *cells]
        kept = [result[form] for form in ("plain", "chat")]
        yield [precision, "kept; of the worst wording", result["length"],
               *(cell for form in kept for cell in ("", f"{percent(form['kept'])}; {percent(form['kept_worst'])}"))]


def agreement_rows(folder, precision):
    path = folder / f"{precision}.found.json"
    if not path.exists():
        return
    agreement = load(path)["agreement"]
    for form in ("plain", "chat"):
        row = agreement[form]
        yield [precision, form, row["n"], f"{100 * row['equal']:.0f} ± {100 * row['equal_stderr']:.0f} %", f"{row['until']:.1f} ± {row['until_stderr']:.1f}"]


def print_table(heads, rows):
    print("\n| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    precisions = ("bf16", "int8")
    print_table(["precision", "text", "context", "unchanged: perplexity", "shipped plan", "ΔNLL", "change"], [r for p in precisions for r in text_rows(folder, p)])
    print_table(["precision", "facts", "tokens", "plain: unchanged", "plan", "chat: unchanged", "plan"], [r for p in precisions for r in found_rows(folder, p)])
    print_table(["precision", "greedy text", "prompts", "equal after 64 tokens", "tokens until they differ"], [r for p in precisions for r in agreement_rows(folder, p)])
