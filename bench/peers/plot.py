#!/usr/bin/env python3
"""Draws the lines of a comparison (table.py) as an SVG: tokens per second over the number of sequences, a panel for each context.

    plot.py OUT.svg FILE.jsonl [FILE.jsonl ...]

The upper row shows decoding, the lower one prompts. Where one peer ran a test in several settings, the fastest is drawn.
"""

import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plot

from table import best_speeds, read_lines


def curves_of(speeds, phase, context):
    """{column: [(sequences, tokens per second)]}, in order."""
    curves = {}
    for (test_phase, sequences, prompt, _), row in sorted(speeds.items()):
        if (test_phase, prompt) == (phase, context):
            for column, speed in row.items():
                curves.setdefault(column, []).append((sequences, speed))
    return curves


def main():
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    speeds = best_speeds(read_lines(sys.argv[2:]))
    contexts = sorted({prompt for phase, _, prompt, _ in speeds if phase == "decode" and prompt > 0})
    columns = sorted({column for row in speeds.values() for column in row})
    plot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "layerboost", "font.family": "sans-serif", "font.size": 9})
    figure, axes = plot.subplots(2, len(contexts), figsize=(4 * len(contexts), 6.4), sharex=True, squeeze=False)
    for row, (phase, name) in enumerate([("decode", "decode, tokens/s"), ("prompt", "prompts, tokens/s")]):
        for panel, context in zip(axes[row], contexts):
            for column, points in curves_of(speeds, phase, context).items():
                ours = column[0] == "layerboost"
                panel.plot(*zip(*points), marker="o", markersize=3, linestyle="-" if ours else "--", label=f"{column[0]} {column[2]}",
                           color=f"C{columns.index(column)}")
            panel.set_xscale("log", base=2)
            panel.set_xticks([1, 4, 16, 64, 128], ["1", "4", "16", "64", "128"])
            panel.set_ylim(0, 1.08 * panel.get_ylim()[1])
            panel.grid(alpha=0.3)
            if row == 0:
                panel.set_title(f"{context} tokens of context")
            else:
                panel.set_xlabel("sequences at once")
        axes[row][0].set_ylabel(name)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.03 + 0.03 * ((len(labels) + 3) // 4), 1, 1))
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
