#!/usr/bin/env python3
"""Prints the lines of a comparison as a table: tokens per second, one row per test, one column per peer and format.

    table.py FILE.jsonl [FILE.jsonl ...]

Every line is a JSON object with
    peer, version, format, threads   who was measured, the model's format, the threads given
    tool, config                     what measured it, and an object of the settings that matter
    pp, tg, pl                       prompt tokens and generated tokens of each sequence, sequences at once (0: phase not run)
    n_kv                             tokens in the cache at the end, all sequences
    t_pp, t_tg, t                    seconds of the prompt phase, of decoding, of both
    speed_pp, speed_tg, speed        tokens per second over all sequences in each (null: phase not run)
Where one peer ran the same test of the same format in several settings, the fastest is shown, each phase for itself.
"""

import json
import sys


def read_lines(paths):
    lines = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            lines += [json.loads(text) for text in file if text.strip()]
    return lines


def best_speeds(lines):
    """{(phase, pp, tg, pl): {(peer, version, format, threads): tokens per second}}; a prompt's row does not depend on tg."""
    rows = {}
    for line in lines:
        column = (line["peer"], line["version"], line["format"], line["threads"])
        for phase, key in (("prompt", "speed_pp"), ("decode", "speed_tg")):
            speed = line[key]
            if speed is None:
                continue
            test = (phase, line["pl"], line["pp"], line["tg"] if phase == "decode" else 0)
            row = rows.setdefault(test, {})
            row[column] = max(speed, row.get(column, 0))
    return rows


def describe(test):
    phase, pl, pp, tg = test
    streams = "1 stream" if pl == 1 else f"{pl} streams"
    if phase == "prompt":
        return f"prompt of {pp}, {streams}"
    return f"decode {tg} after {pp}, {streams}"


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        raise SystemExit(__doc__)
    rows = best_speeds(read_lines(sys.argv[1:]))
    if not rows:
        raise SystemExit(f"table: no lines in {' '.join(sys.argv[1:])}")
    columns = sorted({column for row in rows.values() for column in row})
    peers = sorted({(peer, version, threads) for peer, version, _, threads in columns})
    print("tokens/s; " + "; ".join(f"{peer} {version}, {threads} threads" for peer, version, threads in peers))
    heads = [f"{peer} {model_format}" for peer, _, model_format, _ in columns]
    widths = [max(len(head), 8) for head in heads]
    tests = sorted(rows, key=lambda test: (test[0] != "prompt", *test[1:]))
    first = max(len(describe(test)) for test in tests)
    print(" | ".join([" " * first] + [f"{head:>{width}}" for head, width in zip(heads, widths)]))
    print("-|-".join("-" * width for width in [first, *widths]))
    for test in tests:
        cells = [rows[test].get(column) for column in columns]
        numbers = [f"{'' if cell is None else format(cell, '.1f'):>{width}}" for cell, width in zip(cells, widths)]
        print(" | ".join([f"{describe(test):<{first}}"] + numbers))


if __name__ == "__main__":
    main()
