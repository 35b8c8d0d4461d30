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


def share(rows):
    return f"{sum(row['found'] for row in rows)} of {len(rows)}"


def wording_rows(folder, precision):
    paths = [folder / f"{precision}.wordings.{name}.json" for name in ("base", "standard")]
    if not all(path.exists() for path in paths):
        return
    both = [load(path) for path in paths]
    for wording in dict.fromkeys(row["wording"] for row in both[0]):
        for length in sorted({row["length"] for row in both[0]}):
            yield [precision, wording, length, *(share([r for r in rows if r["wording"] == wording and r["length"] == length]) for rows in both)]
    yield [precision, "all", "", *(share(rows) for rows in both)]


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
    print_table(["precision", "wording", "about … tokens", "unchanged: found", "shipped plan: found"], [r for p in precisions for r in wording_rows(folder, p)])
