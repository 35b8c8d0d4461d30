"""Prints the results of compare.sh as a table of Markdown: compare_table.py DIR/NAME.peak.., beside each its NAME.json

Times are medians unless p99 is said: TTFT in seconds, TPOT and ITL in milliseconds. GiB: the server's largest memory.
"""

import json
import pathlib
import sys

columns = [
    ("req/s", "request_throughput", "{:.2f}"),
    ("tok/s", "output_throughput", "{:.0f}"),
    ("TTFT", "median_ttft_ms", None),
    ("TTFT p99", "p99_ttft_ms", None),
    ("TPOT", "median_tpot_ms", "{:.0f}"),
    ("ITL", "median_itl_ms", "{:.0f}"),
    ("ITL p99", "p99_itl_ms", "{:.0f}"),
]
rows = []
for path in map(pathlib.Path, sys.argv[1:]):
    peak = int(path.read_text()) / 2**20
    for result in json.loads(path.with_suffix(".json").read_text())["results"]:
        cells = [form.format(result[key]) if form else f"{result[key] / 1000:.1f}" for _, key, form in columns]
        rows.append((result["max_concurrency"], path.stem, cells + [f"{peak:.1f}", str(result["failed"])]))
heads = ["at once", "server", *(name for name, _, _ in columns), "GiB", "failed"]
print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
for concurrency, name, cells in sorted(rows, key=lambda row: row[:2]):
    print("| " + " | ".join([str(concurrency), name, *cells]) + " |")
