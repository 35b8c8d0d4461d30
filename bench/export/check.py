"""Compares exported models with transformers; see check.sh."""

import argparse
import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE = "smollm2-135m"
PROMPTS = ["The capital of France is", "Once upon a time, in a small village by the sea, there lived", "1, 2, 3, 4,"]
NEW_TOKENS = 96

parser = argparse.ArgumentParser()
parser.add_argument("--layerboost", required=True)
parser.add_argument("--logits", required=True)
parser.add_argument("directories", nargs="*")
options = parser.parse_args()
failures = 0


def check(name, value, limit):
    global failures
    good = value <= limit
    failures += not good
    print(f"  {'ok  ' if good else 'FAIL'} {name}: {value:.2e} (limit {limit:.0e})", flush=True)


def check_that(name, good):
    global failures
    failures += not good
    print(f"  {'ok  ' if good else 'FAIL'} {name}", flush=True)


def run(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def sha256(path):
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def model_info(work):
    run(options.layerboost, "info", BASE + ":base", "--json", work / "info.json")
    return json.loads((work / "info.json").read_text())["model"]


def write_plan(directory, model, random):
    """All kinds of mixers, several widths of windows, sinks or none; the map is a small random one."""
    kinds = ["softmax", "window:32+4", "hybrid:48+2", "none", "window:16+1", "gated:40", "window:64", "hybrid:24", "window:32+4/full:1", "dual_state", "dual_state:one+norm"]
    mixers = [kinds[layer % len(kinds)] if layer > 2 else "softmax" for layer in range(model["layers"])]
    mixers[7] = "map"
    size = model["hidden"]
    maps = {"weight": random.normal(0, 0.02, (size, size)), "bias": random.normal(0, 0.02, size)}
    save_file({f"layers.7.map.{k}": v.astype(np.float32) for k, v in maps.items()}, directory / "plan.maps.safetensors")
    layers = []
    for layer, mixer in enumerate(mixers):
        written, _, full = mixer.partition("/full:")
        kind, _, numbers = written.partition(":")
        layers.append({"layer": layer, "mixer": kind})
        if kind == "dual_state":
            layers[-1]["variants"] = [name for name in numbers.split("+") if name]
            continue
        window, _, sinks = numbers.partition("+")
        if window:
            layers[-1]["window"] = int(window)
        if sinks:
            layers[-1]["sinks"] = int(sinks)
        if full:
            layers[-1]["full"] = [int(head) for head in full.split(",")]
    plan = {"format": "layerboost-plan", "version": 1, "model": {"name": BASE, "hash": model["hash"]}, "layers": layers}
    plan["maps"] = {"file": "plan.maps.safetensors", "hash": sha256(directory / "plan.maps.safetensors")}
    (directory / "plan.json").write_text(json.dumps(plan))
    return mixers


def mixer_parameters(mixers, model, random):
    """Random ones of hybrid, gated and dual_state, near what healing might find."""
    H, G, d, tensors = model["heads"], model["kv_heads"], model["head_size"], {}

    def put(name, shape, mean, spread):
        tensors[name] = random.normal(mean, spread, shape).astype(np.float32)

    for layer, mixer in enumerate(mixers):
        kind = mixer.partition(":")[0]
        prefix = f"layers.{layer}.{kind}."
        if kind in ("hybrid", "gated"):
            put(prefix + "q_features", (H, d, d // 2), 0, 0.2)
            put(prefix + "k_features", (H, d, d // 2), 0, 0.2)
        if kind == "hybrid":
            put(prefix + "window_weight", H, 4, 0.5)
        if kind == "dual_state":
            put(prefix + "history_gate", (G, d, d), 0, 0.1)
            put(prefix + "history_bias", (G, d), 3, 1)
            if "one" not in mixer:
                put(prefix + "recency_gate", (G, d, d), 0, 0.1)
                put(prefix + "recency_bias", (G, d), 0, 1)
                put(prefix + "blend", 2, 0, 1)
            if "norm" in mixer:
                put(prefix + "norm", d, 0.3, 0.02)
        if kind == "gated":
            put(prefix + "gate", (H, model["hidden"]), 0, 0.02)
            put(prefix + "gate_bias", H, 3, 0.5)
            put(prefix + "sink_logits", (H, 4), 1, 1)
            put(prefix + "linear_scale", H, 0.1, 0.05)
            put(prefix + "window_scale", H, 1, 0.05)
    return tensors


def write_healed(work):
    """A directory as heal writes it, with a random adapter."""
    model, random = model_info(work), np.random.default_rng(1)
    directory = work / "healed"
    directory.mkdir()
    mixers = write_plan(directory, model, random)
    run(options.layerboost, "info", directory / "plan.json", "--json", work / "plan-info.json")
    plan_hash = json.loads((work / "plan-info.json").read_text())["plan"]["hash"]
    D, F, d = model["hidden"], model["ffn"], model["head_size"]
    q, kv, rank = model["heads"] * d, model["kv_heads"] * d, 4
    shapes = {"q": (q, D), "k": (kv, D), "v": (kv, D), "o": (D, q), "gate": (F, D), "up": (F, D), "down": (D, F)}
    tensors = mixer_parameters(mixers, model, random)
    for layer in range(model["layers"]):
        for part, (out, width) in shapes.items():
            tensors[f"layers.{layer}.{part}.lora_a"] = random.normal(0, 0.02, (rank, width)).astype(np.float32)
            tensors[f"layers.{layer}.{part}.lora_b"] = random.normal(0, 0.02, (out, rank)).astype(np.float32)
    metadata = {"format": "layerboost adapter", "version": "1", "model_hash": model["hash"], "plan_hash": plan_hash}
    metadata |= {"rank": str(rank), "alpha": "8", "tokens": "0", "step": "0"}
    save_file(tensors, directory / "adapter.safetensors", metadata)
    heal = {"format": "layerboost-heal", "version": 1, "plan": plan_hash, "adapter": sha256(directory / "adapter.safetensors")}
    heal["model"] = {"name": BASE, "path": "", "hash": model["hash"]}
    (directory / "heal.json").write_text(json.dumps(heal))
    return directory


def our_logits(model, precision, text, work):
    run(options.logits, model, precision, text, work / "logits.bin")
    content = (work / "logits.bin").read_bytes()
    count, vocab = struct.unpack("<2i", content[:8])
    tokens = np.frombuffer(content, np.int32, count, 8)
    return tokens, torch.from_numpy(np.frombuffer(content, np.float32, count * vocab, 8 + 4 * count).reshape(count, vocab).copy())


def their_logits(model, tokens):
    with torch.no_grad():
        return model(torch.tensor(tokens.astype(np.int64))[None], use_cache=False).logits[0].float()


def relative(a, b):
    """Root mean square of the difference, relative to that of the logits."""
    return ((a - b).pow(2).mean().sqrt() / b.pow(2).mean().sqrt()).item()


def divergence(a, b):
    """Mean KL of the next token's distributions, nats."""
    log_a, log_b = torch.log_softmax(a, dim=1), torch.log_softmax(b, dim=1)
    return (log_b.exp() * (log_b - log_a)).sum(dim=1).mean().item()


def compare_generation(model, tokenizer, directory, work):
    tokenizer.padding_side = "left"
    settings = dict(do_sample=False, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS)

    def write(prompts, **more):
        inputs = tokenizer(prompts, return_tensors="pt", padding=True)
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            return [row[inputs["input_ids"].shape[1] :].tolist() for row in model.generate(**inputs, **settings, **more)]

    alone = [write([prompt])[0] for prompt in PROMPTS]
    check_that("generate with its cache writes what it writes without", alone[1] == write([PROMPTS[1]], use_cache=False)[0])
    check_that("a padded batch writes what its prompts write alone", write(PROMPTS) == alone)
    beams = write([PROMPTS[0]], num_beams=3)[0]
    check_that("beam search runs", len(beams) == NEW_TOKENS)
    run(options.layerboost, "generate", directory, *PROMPTS, "--tokens", NEW_TOKENS, "--precision", "f32", "--json", work / "texts.json")
    for theirs, ours in zip(alone, json.loads((work / "texts.json").read_text())["generations"]):
        count = ours["tokens"]  # up to the end of the text
        text = tokenizer.decode(theirs[:count], skip_special_tokens=True)
        check_that(f"layerboost writes the same {count} tokens: {text[:50]!r}", text == ours["text"])


def compare_forward(model, tokenizer, code):
    """forward(), a token at a time, with the cache by each of its names."""
    inputs = tokenizer([PROMPTS[1]], return_tensors="pt").input_ids
    with torch.no_grad(), warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        expected = model.generate(inputs, do_sample=False, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS)
        for name in code.CACHE_NAMES:
            ids, step, cache = inputs, inputs, code.LayerBoostCache(model.config)
            while ids.shape[1] < expected.shape[1]:
                logits = model(step, **{name: cache}).logits[:, -1]
                logits[:, model.generation_config.eos_token_id] = float("-inf")  # as min_new_tokens has it
                step = logits.argmax(dim=1, keepdim=True)
                ids = torch.cat([ids, step], dim=1)
            check_that(f"forward with {name} writes what generate writes", torch.equal(ids, expected))
    notices = sorted({str(one.message) for one in seen if "removed" in str(one.message) or "deprecated" in str(one.message)})
    check_that(f"no notices of what will be removed {notices or ''}", not notices)


def check_refusals(model, code):
    ids = torch.tensor([[1, 2, 3]])

    def check_refused(what, step, **arguments):
        try:
            model(step, **arguments)
            check_that(f"refused: {what}", False)
        except ValueError as error:
            check_that(f"refused: {what}: {error}", True)

    filled, empty = code.LayerBoostCache(model.config), code.LayerBoostCache(model.config)
    with torch.no_grad():
        model(ids, **{code.CACHE_NAME: filled})
        check_refused("a mask of another length", ids[:, :1], attention_mask=torch.ones(1, 4), **{code.CACHE_NAME: empty})
        check_refused("a mask without the cache's tokens", ids, attention_mask=torch.ones(1, 3), **{code.CACHE_NAME: filled})
        check_refused("positions of another cache", ids[:, :1], position_ids=torch.tensor([[3]]), **{code.CACHE_NAME: empty})
        check_refused("a cache by an unknown name", ids[:, :1], kv_cache=filled)
        check_refused("a cache of another kind", ids[:, :1], **{code.CACHE_NAME: transformers.DynamicCache()})


def compare_saved(model, tokenizer, tokens, ours, work):
    """What save_pretrained writes is the same model, for transformers and for layerboost."""
    saved = work / "saved"
    model.save_pretrained(saved)
    tokenizer.save_pretrained(saved)
    again = AutoModelForCausalLM.from_pretrained(saved, trust_remote_code=True, dtype=torch.float32).eval()
    check("saved again: logits, largest difference", (their_logits(again, tokens) - their_logits(model, tokens)).abs().max().item(), 1e-6)
    _, logits = our_logits(saved, "f32", work / "text.txt", work)
    check("saved again: layerboost's logits, largest difference", (logits - ours).abs().max().item(), 1e-6)
    shutil.rmtree(saved)


def check_card(directory):
    card = (directory / "README.md").read_text()
    check_that("the card has the base's licence", card.startswith("---\nlicense: apache-2.0\n") and (directory / "LICENSE").exists())


def compare(source, work):
    print(source, flush=True)
    directory = work / "exported"
    run(options.layerboost, "export", source, "-o", directory)
    text = work / "text.txt"
    text.write_text(pathlib.Path(__file__).with_name("check.sh").read_text() + "Überall, 東京 2026: naïve café…\n" + "\n".join(PROMPTS * 8))
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=True)
    tokens, ours = our_logits(directory, "f32", text, work)
    theirs = tokenizer(text.read_text())["input_ids"]
    check_that(f"the tokenizer gives the same {len(tokens)} tokens", theirs == tokens.tolist())

    model = AutoModelForCausalLM.from_pretrained(directory, trust_remote_code=True, dtype=torch.float32).eval()
    check("f32 logits, largest difference", (their_logits(model, tokens) - ours).abs().max().item(), 1e-3)
    compare_generation(model, tokenizer, directory, work)
    code = sys.modules[type(model).__module__]
    compare_forward(model, tokenizer, code)
    check_refusals(model, code)
    compare_saved(model, tokenizer, tokens, ours, work)
    check_card(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, trust_remote_code=True, dtype="auto").eval()
    check_that("the weights are bf16", model.dtype == torch.bfloat16)
    _, in_bf16 = our_logits(directory, "bf16", text, work)
    theirs = their_logits(model, tokens)
    check("bf16 logits, relative difference", relative(theirs, in_bf16), 2e-2)
    for label, a, b in [("theirs from ours", theirs, in_bf16), ("ours from f32", in_bf16, ours), ("theirs from f32", theirs, ours)]:
        print(f"       {label}: relative {relative(a, b):.1e}, KL {divergence(a, b):.1e}")
    _, healed = our_logits(source, "bf16", text, work)
    check("bf16 logits of the exported model and of what it was made from", (healed - in_bf16).abs().max().item(), 1e-6)


print(f"transformers {transformers.__version__}, torch {torch.__version__}")
transformers.utils.logging.disable_progress_bar()
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    torch.manual_seed(0)
    for source in [write_healed(folder), *options.directories]:
        compare(source, folder)
print(f"{'FAILED' if failures else 'all as expected'}")
sys.exit(failures > 0)
