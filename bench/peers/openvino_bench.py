#!/usr/bin/env python3
"""Measures OpenVINO GenAI's continuous batching on the CPU and prints one JSON line per test, in llama-batched-bench's keys.

    openvino_bench.py --model M.gguf --format Q8_0 [--threads 2] [--inference bf16|f32] --test PP,TG,PL [--test ...]

A test sends PL prompts of PP random tokens at once and generates TG further tokens for each (greedy, end of text ignored).
The pipeline is stepped by hand in the scheduling that handles all prompts before it decodes, so the two phases do not mix:
the prompt phase ends with the step after which every sequence has its first token, and what follows is exactly TG steps of
PL sequences. Keys: pp, tg, pl as asked; n_kv = PL * (PP + TG); t_pp, t_tg, t in seconds; speed_pp, speed_tg, speed in tokens
per second over all sequences; further the ones that every peer's line has (table.py names them).

Weights are the file's (Q8_0 becomes int8 in groups of 32); everything else is the device's default unless told, and recorded.
"""

import argparse
import importlib.metadata
import json
import os
import time

import numpy
import openvino
import openvino_genai

KV_BYTES = 23040  # of a token of the default model in bf16; in u8 half of it
PROMPT_TOKENS_PER_STEP = 2048
SINGLE_RUNS = 3  # of each single-stream test, averaged


def parse_test(text):
    """'1024,32,64' -> (1024, 32, 64)."""
    numbers = tuple(int(part) for part in text.split(","))
    if len(numbers) != 3 or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not PP,TG,PL, as in 1024,32,64")
    return numbers


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="GGUF file")
    parser.add_argument("--format", required=True, help="how the lines name the model's format, as in Q8_0")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--inference", choices=["bf16", "f32"], help="inference precision hint; default: the device's")
    parser.add_argument("--test", type=parse_test, action="append", required=True, metavar="PP,TG,PL")
    return parser.parse_args()


def device_properties(arguments):
    properties = {"INFERENCE_NUM_THREADS": arguments.threads}
    if arguments.inference:
        properties["INFERENCE_PRECISION_HINT"] = arguments.inference
    return properties


def recorded_config(properties):
    """The settings that matter, given or by default, as text."""
    core = openvino.Core()
    core.set_property("CPU", properties)

    def text(name):
        value = core.get_property("CPU", name)
        return value.to_string() if isinstance(value, openvino.Type) else value

    return {
        "inference": text("INFERENCE_PRECISION_HINT"),
        "kv_cache": text("KV_CACHE_PRECISION"),
        "dynamic_quantization_group": text("DYNAMIC_QUANTIZATION_GROUP_SIZE"),
        "prompt_tokens_per_step": PROMPT_TOKENS_PER_STEP,
    }


def make_pipeline(model, properties, tests):
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.dynamic_split_fuse = False  # prompts first, then decoding
    scheduler.max_num_batched_tokens = max(PROMPT_TOKENS_PER_STEP, max(pp for pp, _, _ in tests))
    scheduler.max_num_seqs = max(pl for _, _, pl in tests)
    scheduler.cache_size = 1 + max(pl * (pp + tg) for pp, tg, pl in tests) * KV_BYTES // 2**30  # GB
    scheduler.enable_prefix_caching = False
    return openvino_genai.ContinuousBatchingPipeline(model, scheduler, "CPU", properties)


def run(pipeline, random, pp, tg, pl):
    """One test, once. Returns the seconds of the prompt phase and of decoding."""
    config = openvino_genai.GenerationConfig(max_new_tokens=tg + 1, ignore_eos=True, do_sample=False)
    prompts = random.integers(100, 40000, (pl, 1, pp), dtype=numpy.int64)  # below 100 are control tokens
    handles = [pipeline.add_request(i, openvino.Tensor(prompts[i]), config) for i in range(pl)]
    start = time.perf_counter()
    while not all(handle.can_read() for handle in handles):
        pipeline.step()
    prompt_end = time.perf_counter()
    steps = 0
    while pipeline.has_non_finished_requests():
        pipeline.step()
        steps += 1
    end = time.perf_counter()
    lengths = {len(handle.read_all()[0].generated_ids) for handle in handles}
    if steps != tg or lengths != {tg + 1}:
        raise SystemExit(f"openvino_bench: phases mixed in test {pp},{tg},{pl}: {steps} decode steps, lengths {lengths}")
    return prompt_end - start, end - prompt_end


def measure(pipeline, random, test):
    """The batched-bench keys of one test."""
    pp, tg, pl = test
    times = [run(pipeline, random, pp, tg, pl) for _ in range(SINGLE_RUNS if pl == 1 else 1)]
    t_pp, t_tg = (sum(column) / len(times) for column in zip(*times))
    return {
        "pp": pp, "tg": tg, "pl": pl, "n_kv": pl * (pp + tg),
        "t_pp": t_pp, "speed_pp": pl * pp / t_pp, "t_tg": t_tg, "speed_tg": pl * tg / t_tg,
        "t": t_pp + t_tg, "speed": pl * (pp + tg) / (t_pp + t_tg),
    }  # fmt: skip


def main():
    arguments = parse_arguments()
    properties = device_properties(arguments)
    config = recorded_config(properties)
    pipeline = make_pipeline(arguments.model, properties, arguments.test)
    random = numpy.random.default_rng(0)
    run(pipeline, random, 512, 8, 1)  # warm-up: kernels are compiled on first use
    for test in arguments.test:
        line = {
            "peer": "OpenVINO GenAI",
            "version": importlib.metadata.version("openvino-genai"),
            "format": arguments.format,
            "threads": arguments.threads,
            "tool": "openvino_bench",
            "config": config,
        }
        print(json.dumps(line | measure(pipeline, random, test)), flush=True)


if __name__ == "__main__":
    main()
