#!/usr/bin/env python3
"""Puts the replays of trace.sh side by side.

    trace_table.py [--out FILE.svg] LOAD.SERVER.json ...     a Markdown table; a plot over time, where matplotlib is there
    trace_table.py --keeps SHARE FILE.json                   exit code 0 if so many of the requests kept the targets
    trace_table.py --rate FILE.json                          the requests per second that were sent
"""

import argparse
import json
import os
import sys


def result_of(path):
    with open(path) as file:
        return json.load(file)["results"][0]


def in_place(path):
    """(load, server) of a file's name, "1.3.auto.json"."""
    load, _, server = os.path.basename(path).removesuffix(".json").rpartition(".")
    return float(load), server


def counted(load, server, folder):
    """Folds and pre-emptions, as the server counted them; empty where it doesn't."""
    path = os.path.join(folder, f"{load:g}.{server}.metrics")
    if not os.path.exists(path):
        return "", ""
    with open(path) as file:
        values = dict(line.rsplit(" ", 1) for line in file.read().splitlines() if line.startswith("layerboost_"))
    return [f"{float(values[name]):.0f}" if name in values else "" for name in ("layerboost_folds_total", "layerboost_preemptions_total")]


def table(paths):
    rows = sorted((in_place(path) + (result_of(path),) for path in paths), key=lambda row: row[0])
    print("| load | server | req/s | done | met | TTFT | TPOT | ms/token | level | ppl | folds | pre-empted |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for load, server, result in rows:
        folds, preempted = counted(load, server, os.path.dirname(paths[0]))
        level = f"{result['mean_level']:.1f}" if "mean_level" in result else ""
        ratio = result.get("mean_perplexity_ratio")
        print(
            f"| {load:g} | {server} | {result['request_rate']:.2f} | {result['completed']} of {result['completed'] + result['failed']} | {100 * result['share_within_targets']:.0f} % "
            f"| {result['mean_ttft_ms'] / 1000:.1f}, {result['p99_ttft_ms'] / 1000:.1f} | {result['mean_tpot_ms']:.0f}, {result['p99_tpot_ms']:.0f} "
            f"| {result['mean_latency_per_token_ms']:.0f} | {level} | {'' if ratio is None else f'{ratio:.4f}'} | {folds} | {preempted} |"
        )


def plot(paths, out):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as pyplot

    rows = [in_place(path) + (result_of(path),) for path in paths]
    loads = sorted({row[0] for row in rows})
    servers = sorted({row[1] for row in rows})
    pyplot.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "layerboost", "font.family": "sans-serif", "font.size": 9})
    figure, axes = pyplot.subplots(3, len(loads), figsize=(4.5 * len(loads), 7), sharex="col", squeeze=False)
    for load, server, result in rows:
        column = loads.index(load)
        done = [request for request in result["requests"] if request["error"] is None]
        color = f"C{servers.index(server)}"
        events = sorted([(r["start"], 1) for r in done] + [(r["start"] + r["e2el_ms"] / 1000, -1) for r in done])
        running, times, counts = 0, [], []
        for time, change in events:
            running += change
            times.append(time)
            counts.append(running)
        axes[0][column].plot(times, counts, color=color, label=server, linewidth=1)
        if done and "level" in done[0]:
            axes[1][column].plot([r["start"] for r in done], [r["level"] for r in done], ".", color=color, markersize=3)
        axes[2][column].plot([r["start"] for r in done], [r["e2el_ms"] / max(1, r["generated_tokens"]) for r in done], ".", color=color, markersize=3)
    for column, load in enumerate(loads):
        axes[0][column].set_title(f"{load:g} times the capacity of level 0")
        axes[2][column].set_yscale("log")
        axes[2][column].set_xlabel("seconds")
    for row, name in enumerate(["requests under way", "level at the end", "ms per token"]):
        axes[row][0].set_ylabel(name)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=6, frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(out, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out")
    parser.add_argument("--keeps", type=float)
    parser.add_argument("--rate", action="store_true")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    if options.keeps is not None:
        sys.exit(0 if result_of(options.files[0])["share_within_targets"] >= options.keeps else 1)
    if options.rate:
        print(f"{result_of(options.files[0])['request_rate']:.2f}")
        return
    table(options.files)
    if options.out:
        try:
            plot(options.files, options.out)
        except ImportError:
            print("trace_table.py: no matplotlib, no plot", file=sys.stderr)


if __name__ == "__main__":
    main()
