#!/usr/bin/env python3
"""Writes src/mixer/testdata/architectures.json: what transformers compute with tiny models of each architecture, in float32, on CPU. The
weights aren't in the file: they are pseudo-random numbers (weights_of) that tests make again.

    pip install transformers==5.24.0 torch==2.15.0
    scripts/architecture-cases.py > src/mixer/testdata/architectures.json
    scripts/architecture-cases.py --exports build/release/layerboost     has that program export the models, and compares
    scripts/architecture-cases.py --gguf build/release/layerboost FOLDER     the same of GGUF files that llama.cpp's converter makes
        of them; FOLDER has llama.cpp's sources (convert_hf_to_gguf.py, conversion/, gguf-py/)
"""
import json
import logging
import pathlib
import subprocess
import sys
import tempfile

import torch
from transformers import AutoConfig, AutoModelForCausalLM

SIZES = dict(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=256,
    pad_token_id=None,
    bos_token_id=None,
    eos_token_id=63,
)
LONGROPE = dict(
    rope_type="longrope",
    rope_theta=10000.0,
    short_factor=[1.0, 1.125, 1.25, 1.5],
    long_factor=[2.0, 3.5, 5.0, 6.5],
)
EVERY_SECOND = ["sliding_attention", "full_attention"] * 2
CASES = {
    "llama": dict(
        model_type="llama",
        rope_parameters=dict(
            rope_type="llama3",
            rope_theta=10000.0,
            factor=8.0,
            low_freq_factor=1.0,
            high_freq_factor=4.0,
            original_max_position_embeddings=64,
        ),
    ),
    # Of more than 24 tokens, all have rotations of the text's length.
    "llama-dynamic": dict(
        model_type="llama",
        max_position_embeddings=24,
        attention_bias=True,
        rope_parameters=dict(rope_type="dynamic", factor=4.0, rope_theta=10000.0),
    ),
    "mistral": dict(model_type="mistral", sliding_window=12),
    "qwen2": dict(model_type="qwen2", tie_word_embeddings=True),
    "qwen2-windows": dict(
        model_type="qwen2",
        use_sliding_window=True,
        sliding_window=12,
        max_window_layers=2,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
    ),
    "qwen3": dict(model_type="qwen3", head_dim=16),
    "qwen3-windows": dict(model_type="qwen3", head_dim=16, use_sliding_window=True, sliding_window=12, max_window_layers=2),
    "phi3": dict(model_type="phi3", sliding_window=12),
    "phi3-longrope": dict(model_type="phi3", original_max_position_embeddings=24, rope_parameters=LONGROPE),
    "phi3-partial": dict(
        model_type="phi3",
        partial_rotary_factor=0.75,
        original_max_position_embeddings=24,
        rope_parameters={**LONGROPE, "short_factor": [1.0, 1.125, 1.25], "long_factor": [2.0, 3.5, 5.0]},
    ),
    # Caps that most scores, and logits, are beyond.
    "gemma2": dict(
        model_type="gemma2",
        head_dim=8,
        query_pre_attn_scalar=16,
        sliding_window=12,
        attn_logit_softcapping=0.5,
        final_logit_softcapping=2.0,
    ),
    "gemma3_text": dict(
        model_type="gemma3_text",
        head_dim=8,
        query_pre_attn_scalar=16,
        sliding_window=12,
        layer_types=EVERY_SECOND,
        rope_parameters=dict(
            full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
        ),
    ),
    # Of more than 24 tokens, layers without a window have rotations of the text's length.
    "gemma3_text-dynamic": dict(
        model_type="gemma3_text",
        head_dim=8,
        query_pre_attn_scalar=16,
        max_position_embeddings=24,
        sliding_window=12,
        layer_types=EVERY_SECOND,
        rope_parameters=dict(
            full_attention=dict(rope_type="dynamic", factor=4.0, rope_theta=1000000.0),
            sliding_attention=dict(rope_type="default", rope_theta=10000.0),
        ),
    ),
    # The window is wider than the positions, and still as wide as the longest text here.
    "mistral-dynamic": dict(
        model_type="mistral",
        max_position_embeddings=24,
        sliding_window=40,
        rope_parameters=dict(rope_type="dynamic", factor=4.0, rope_theta=10000.0),
    ),
    # What sees pictures isn't read: text alone.
    "gemma3": dict(
        model_type="gemma3",
        text_config=dict(head_dim=8, query_pre_attn_scalar=16, sliding_window=12, final_logit_softcapping=2.0, layer_types=EVERY_SECOND),
        vision_config=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28),
        mm_tokens_per_image=4,
    ),
    "granite": dict(
        model_type="granite",
        embedding_multiplier=12.0,
        attention_multiplier=0.25,
        residual_multiplier=0.22,
        logits_scaling=3.0,
        attention_bias=True,
        mlp_bias=True,
    ),
    "olmo2": dict(model_type="olmo2"),
    "smollm3": dict(
        model_type="smollm3",
        attention_bias=True,
        rope_parameters=dict(
            rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64, beta_fast=4.0
        ),
    ),
    "smollm3-windows": dict(
        model_type="smollm3", no_rope_layers=[1, 0, 1, 1], use_sliding_window=True, sliding_window=12, attention_bias=True
    ),
}

# Where GGUF leaves no choice.
FIVE_OF_SIX = dict(query_pre_attn_scalar=8, num_hidden_layers=6, layer_types=["sliding_attention"] * 5 + ["full_attention"])
IN_GGUF = {
    "gemma2": dict(query_pre_attn_scalar=8),
    "gemma3_text": FIVE_OF_SIX,
    "gemma3_text-dynamic": FIVE_OF_SIX,
    "gemma3": dict(text_config={**CASES["gemma3"]["text_config"], **FIVE_OF_SIX, "final_logit_softcapping": None}),
}


def config_of(case):
    if "text_config" in case:
        text = {**SIZES, **case["text_config"]}
        return AutoConfig.for_model(**{**case, "text_config": text}, attn_implementation="eager")
    return AutoConfig.for_model(**{**SIZES, **case}, attn_implementation="eager")


def weights_of(shapes, one):
    """A linear congruential generator's numbers for the tensors in order of name: n/256 for matrices and biases, for norms 1 + n/128,
    and 3n/512 where their one is added by the model (one: 0), which is in need of more bits with it; all of them exact in bf16. (Of
    embeddings that the head is tied to only these are in `shapes`.)"""
    state, weights = 1, {}
    for name in sorted(shapes):
        count, values = 1, []
        for size in shapes[name]:
            count *= size
        for _ in range(count):
            state = (state * 1664525 + 1013904223) % 2**32
            if "norm" in name:
                n = (state >> 26) - 32
                values.append(1 + n / 128 if one else 3 * n / 512)
            else:
                values.append(((state >> 24) - 128) / 256)
        weights[name] = torch.tensor(values, dtype=torch.float32).view(shapes[name])
    return weights


def make(case):
    """The model, and its tensors' shapes by name."""
    model = AutoModelForCausalLM.from_config(config_of(case), dtype=torch.float32).eval()
    shapes = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del shapes["lm_head.weight"]
    model.load_state_dict(weights_of(shapes, 0 if model.config.model_type.startswith("gemma") else 1), strict=False)
    return model, shapes


def ids_of(count):
    state, ids = 7, []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        ids.append((state >> 16) % SIZES["vocab_size"])
    return ids


@torch.no_grad()
def log_probs(model, ids):
    """Of each token but the first, of a text that is read at once."""
    logits = model(torch.tensor([ids]), use_cache=False).logits[0, :-1].double()
    return logits.log_softmax(dim=-1).gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


@torch.no_grad()
def greedy(model, ids, count):
    """Each token comes from reading at once all before it."""
    text = list(ids)
    for _ in range(count):
        text.append(model(torch.tensor([text]), use_cache=False).logits[0, -1].argmax().item())
    return text[len(ids) :]


def written(name, case):
    model, shapes = make(case)
    ids = ids_of(40)
    text = {"name": name, "config": json.loads(model.config.to_json_string(use_diff=True)), "tensors": shapes, "ids": ids}
    for length in (20, 40):
        text[f"log_probs_of_{length}"] = [round(value, 6) for value in log_probs(model, ids[:length])]
    return {**text, "greedy_after_20": greedy(model, ids[:20], 8)}


def in_gguf(llama_cpp, folder, model_folder):
    """The model of a folder as llama.cpp's converter writes it, with a vocabulary of letters; None where it has no class for it, or
    GGUF doesn't say all of it."""
    sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]
    import gguf
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

    hparams = ModelBase.load_hparams(model_folder, False)
    if hparams.get("no_rope_layers", [1, 1, 1, 0]) != [1, 1, 1, 0]:
        return None
    logging.disable(logging.WARNING)
    kind = get_model_class(get_model_architecture(hparams, ModelType.TEXT))

    def set_vocab(self):
        self.gguf_writer.add_tokenizer_model("gpt2")
        self.gguf_writer.add_tokenizer_pre("smollm")
        self.gguf_writer.add_token_list([chr(33 + i) for i in range(SIZES["vocab_size"])])
        self.gguf_writer.add_token_types([1] * SIZES["vocab_size"])
        self.gguf_writer.add_token_merges(["! !"])
        self.gguf_writer.add_eos_token_id(SIZES["eos_token_id"])

    kind.set_vocab = set_vocab
    # Embeddings of what isn't in the vocabulary are left out.
    vocab = {"model": {"vocab": {str(i): i for i in range(SIZES["vocab_size"])}}, "added_tokens": []}
    (model_folder / "tokenizer.json").write_text(json.dumps(vocab))
    file = folder / f"{model_folder.name}.gguf"
    kind(model_folder, gguf.LlamaFileType.ALL_F32, file, eager=True).write()
    return file


def exported(program, folder, name, model, llama_cpp):
    """The model as layerboost exports it. Its own plan, but for one layer: hybrid attention whose window is never left."""
    made = folder / name
    model.save_pretrained(made)
    if llama_cpp is not None:
        made = in_gguf(llama_cpp, folder, made)
    if made is None:
        return None
    subprocess.run([program, "info", made, "--json", folder / "info.json"], check=True, stdout=subprocess.DEVNULL)
    info = json.loads((folder / "info.json").read_text())["model"]
    config = model.config.get_text_config()
    types = getattr(config, "layer_types", None) or ["sliding_attention"] * info["layers"]
    window = getattr(config, "sliding_window", None) or 0
    windows = [window if kind == "sliding_attention" else 0 for kind in types]
    layers = [{"layer": i, "mixer": "window" if w else "softmax", **({"window": w} if w else {})} for i, w in enumerate(windows)]
    # With longrope and dynamic, no more is exported.
    longest = min(64, getattr(config, "original_max_position_embeddings", None) or config.max_position_embeddings)
    for layer in layers:  # what no text leaves is no window
        if layer.get("window", 0) >= config.max_position_embeddings:
            layer.update(mixer="softmax")
            del layer["window"]
    for layer in layers[1:2]:
        if layer["mixer"] == "softmax":
            layer.update(mixer="hybrid", window=longest)
    plan = {"format": "layerboost-plan", "version": 1, "model": {"name": name, "hash": info["hash"]}, "layers": layers}
    (folder / "plan.json").write_text(json.dumps(plan))
    out = folder / f"{name}-exported"
    subprocess.run([program, "export", made, "--plan", folder / "plan.json", "-o", out], check=True, stdout=subprocess.DEVNULL)
    return AutoModelForCausalLM.from_pretrained(out, trust_remote_code=True, dtype=torch.float32).eval()


def check_export(program, folder, name, case, llama_cpp):
    if llama_cpp is not None:
        case = {**case, **IN_GGUF.get(name, {})}
    expected, worst = written(name, case), 0.0
    model = exported(program, folder, name, make(case)[0], llama_cpp)
    if model is None:
        print(f"{name}: not in GGUF")
        return True
    for length in (20, 40):
        if length <= model.config.max_position_embeddings:  # without the long texts of longrope and dynamic
            found = log_probs(model, expected["ids"][:length])
            worst = max([worst] + [abs(a - b) for a, b in zip(found, expected[f"log_probs_of_{length}"])])
    prompt = torch.tensor([expected["ids"][:20]])
    count = min(8, model.config.max_position_embeddings - 20)
    exactly = dict(do_sample=False, max_new_tokens=count, min_new_tokens=count, eos_token_id=-1)
    text = model.generate(prompt, attention_mask=torch.ones_like(prompt), **exactly)  # or it takes tokens for padding
    same = text[0, 20:].tolist() == expected["greedy_after_20"][:count]
    print(f"{name}: log-probabilities differ by {worst:.1e}; generates {'the same' if same else 'something else'}")
    return worst < 3e-5 and same


if sys.argv[1:2] in (["--exports"], ["--gguf"]):
    llama_cpp = pathlib.Path(sys.argv[3]) if sys.argv[1] == "--gguf" else None
    with tempfile.TemporaryDirectory() as work:
        good = [check_export(sys.argv[2], pathlib.Path(work), name, case, llama_cpp) for name, case in CASES.items()]
    sys.exit(0 if all(good) else 1)
print("[\n" + ",\n".join(json.dumps(written(name, case)) for name, case in CASES.items()) + "\n]")
