"""Prints the results of compare.sh as a table of Markdown: compare_table.py DIR/NAME.peak.., beside each its NAME.json"""

import json
import pathlib
import sys

columns = [
    ("requests/s", "request_throughput", "{:.2f}"),
    ("tokens/s", "output_throughput", "{:.0f}"),
    ("TTFT median, s", "median_ttft_ms", None),
    ("TTFT p99, s", "p99_ttft_ms", None),
    ("TPOT median, ms", "median_tpot_ms", "{:.0f}"),
    ("ITL median, ms", "median_itl_ms", "{:.0f}"),
    ("ITL p99, ms", "p99_itl_ms", "{:.0f}"),
]
rows = []
for path in map(pathlib.Path, sys.argv[1:]):
    peak = int(path.read_text()) / 2**20
    for result in json.loads(path.with_suffix(".json").read_text())["results"]:
        cells = [form.format(result[key]) if form else f"{result[key] / 1000:.1f}" for _, key, form in columns]
        rows.append((result["max_concurrency"], path.stem, cells + [f"{peak:.1f}", str(result["failed"])]))
heads = ["at once", "server", *(name for name, _, _ in columns), "memory, GiB", "failed"]
print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
for concurrency, name, cells in sorted(rows, key=lambda row: row[:2]):
    print("| " + " | ".join([str(concurrency), name, *cells]) + " |")
