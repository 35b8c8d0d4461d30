#!/usr/bin/env python3
"""Turns the JSON lines of llama-bench or llama-batched-bench (standard input) into the lines that every peer writes (table.py).

    llama-bench ... -o jsonl | llama_lines.py --format Q8_0 --version 0c1e57098

Lines that are not JSON objects (the tools' messages) are passed over. llama-bench's tests are single streams of either a prompt
or of generation; the phase that a test does not have gets 0 tokens, 0 seconds and a speed of null.
"""

import argparse
import json
import sys

BATCHED_KEYS = ("pp", "tg", "pl", "n_kv", "t_pp", "speed_pp", "t_tg", "speed_tg", "t", "speed")


def from_llama_bench(line):
    pp, tg, seconds = line["n_prompt"], line["n_gen"], line["avg_ns"] / 1e9
    if pp and tg:
        raise SystemExit("llama_lines: a llama-bench test with both phases (-pg) does not tell them apart; use -p and -n")
    return {
        "tool": "llama-bench",
        "config": {
            "flash_attn": line["flash_attn"], "batch": line["n_batch"], "ubatch": line["n_ubatch"],
            "kv_cache": line["type_k"], "stddev": line["stddev_ts"],
        },
        "pp": pp, "tg": tg, "pl": 1, "n_kv": pp + tg,
        "t_pp": seconds if pp else 0, "speed_pp": line["avg_ts"] if pp else None,
        "t_tg": seconds if tg else 0, "speed_tg": line["avg_ts"] if tg else None,
        "t": seconds, "speed": line["avg_ts"],
    }  # fmt: skip


def from_batched_bench(line):
    # The key/value cache's type is not in the lines; f16 is the tool's default and run.sh leaves it.
    config = {
        "flash_attn": line["flash_attn"], "batch": line["n_batch"], "ubatch": line["n_ubatch"], "kv_cache": "f16",
    }  # fmt: skip
    return {"tool": "llama-batched-bench", "config": config} | {key: line[key] for key in BATCHED_KEYS}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", required=True, help="the model's format, as in Q8_0")
    parser.add_argument("--version", required=True, help="llama.cpp's commit")
    arguments = parser.parse_args()
    for text in sys.stdin:
        if not text.startswith("{"):
            continue
        line = json.loads(text)
        common = {
            "peer": "llama.cpp", "version": arguments.version, "format": arguments.format, "threads": line["n_threads"],
        }  # fmt: skip
        convert = from_llama_bench if "avg_ts" in line else from_batched_bench
        print(json.dumps(common | convert(line)), flush=True)


if __name__ == "__main__":
    main()
