#!/usr/bin/env python3
"""The tables of what bench/quality/estimated.sh left in DIR: estimated.py DIR "MEMORY ..." """

import json
import pathlib
import statistics
import sys


def ranks(values):
    """By size from 0; equal ones get the mean of theirs."""
    return [sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2 for value in values]


def losses(analysis, choice, measure):
    return {layer["layer"]: layer["choices"][choice][measure]["mean"] for layer in analysis["layers"] if choice in layer["choices"]}


def kept(quality):
    forms = [quality["retrieval"][0].get(form) for form in ("plain", "chat")]  # a model may have no chat template
    return " and ".join(f"{100 * form['kept']:.0f}" for form in forms if form and form["kept"] is not None)


folder = pathlib.Path(sys.argv[1])
ways = ("measured", "estimated")
analyses = {way: json.loads((folder / f"{way}.json").read_text(encoding="utf-8")) for way in ways}
for way, analysis in analyses.items():
    if analysis["data"].get("estimated", False) != (way == "estimated"):
        sys.exit(f"{folder / way}.json isn't {way}")
print("Seconds: " + ", ".join(f"{way} {analysis['run']['seconds']:.0f}" for way, analysis in analyses.items()))
print("\n| window | measure | Spearman's rank correlation | Pearson's | sum of layers, measured | estimated |")
print("|---|---|---|---|---|---|")
for choice in (choice for choice in analyses["estimated"]["choices"] if choice.startswith("window")):
    for measure in analyses["estimated"]["measures"]:
        measured, estimated = (list(losses(analyses[way], choice, measure).values()) for way in ways)
        print(f"| {choice} | {measure} | {statistics.correlation(ranks(measured), ranks(estimated)):.3f} | {statistics.correlation(measured, estimated):.3f} | "
              f"{sum(measured):.4f} | {sum(estimated):.4f} |")
print("\n| memory | layers that differ | change of NLL, measured | estimated | KL, measured | estimated | % of facts kept, plain and chat, measured | estimated |")
print("|---|---|---|---|---|---|---|---|")
for memory in sys.argv[2].split():
    plans = [json.loads((folder / f"{way}.{memory}.json").read_text(encoding="utf-8"))["layers"] for way in ways]
    mixers = [[{key: layer.get(key) for key in ("mixer", "window", "sinks", "full")} for layer in plan] for plan in plans]
    quality = [json.loads((folder / f"{way}.{memory}.quality.json").read_text(encoding="utf-8")) for way in ways]
    cells = [sum(a != b for a, b in zip(*mixers))]
    cells += [f"{each['kl']['nll_change']:+.4f} ± {each['kl']['nll_change_stderr']:.4f}" for each in quality]
    cells += [f"{each['kl']['mean']:.4f} ± {each['kl']['stderr']:.4f}" for each in quality]
    cells += [kept(each) if each.get("retrieval") else "" for each in quality]
    print(f"| {float(memory):.0%} | " + " | ".join(map(str, cells)) + " |")
