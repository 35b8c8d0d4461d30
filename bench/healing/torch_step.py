"""The step that `layerboost heal` takes, in PyTorch with transformers: how many tokens a second it heals.

Weights are random (speed doesn't depend on them) in the default model's shape; the teacher runs under no_grad, the student has LoRA of the same
rank on the same products; loss: KL on the full logits, block by block; AdamW. Prints one JSON line.
  python3 torch_step.py [--length 512] [--batch 4096] [--rank 16] [--steps 3] [--threads 2]
"""

import argparse
import copy
import json
import time

import torch
import transformers

LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LoraLinear(torch.nn.Module):
    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        self.scale = 2.0
        self.a = torch.nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.b = torch.nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        low = torch.nn.functional.linear(x, self.a.to(x.dtype))
        return self.base(x) + self.scale * torch.nn.functional.linear(low, self.b.to(x.dtype))


def add_lora(module, rank):
    for name, child in module.named_children():
        if name in LORA_TARGETS:
            setattr(module, name, LoraLinear(child, rank))
        else:
            add_lora(child, rank)


def kl_of(student, teacher, hidden_s, hidden_t, block=512):
    """Mean over tokens of KL(teacher || student), back-propagated block by block so that [tokens, V] is never held."""
    hidden = hidden_s.detach().requires_grad_()
    total, rows = 0.0, hidden.reshape(-1, hidden.shape[-1])
    rows_t = hidden_t.reshape(-1, hidden.shape[-1])
    for first in range(0, rows.shape[0], block):
        logits_s = student.lm_head(rows[first : first + block]).float()
        with torch.no_grad():
            p = torch.log_softmax(teacher.lm_head(rows_t[first : first + block]).float(), -1)
        loss = torch.nn.functional.kl_div(torch.log_softmax(logits_s, -1), p, log_target=True, reduction="sum") / rows.shape[0]
        loss.backward(retain_graph=False)
        rows = hidden.reshape(-1, hidden.shape[-1])
        total += loss.item()
    hidden_s.backward(hidden.grad)
    return total


def main():
    parser = argparse.ArgumentParser()
    for name, value in (("length", 512), ("batch", 4096), ("rank", 16), ("steps", 3), ("threads", 2), ("micro", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, vocab_size=49152,
        max_position_embeddings=8192, rope_theta=100000.0, tie_word_embeddings=True, use_cache=False)
    teacher = transformers.LlamaForCausalLM(config).to(torch.bfloat16).eval().requires_grad_(False)
    student = copy.deepcopy(teacher)
    add_lora(student.model, options.rank)
    parameters = [p for p in student.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-4, betas=(0.9, 0.95), weight_decay=0)
    seconds = []
    for step in range(options.steps + 1):  # the first warms up
        start = time.perf_counter()
        for _ in range(options.batch // (options.micro * options.length)):
            tokens = torch.randint(0, config.vocab_size, (options.micro, options.length))
            with torch.no_grad():
                hidden_t = teacher.model(tokens).last_hidden_state
            hidden_s = student.model(tokens).last_hidden_state
            loss = kl_of(student, teacher, hidden_s, hidden_t)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
    best = min(seconds[1:])
    print(json.dumps({"tokens_per_s": options.batch / best, "length": options.length, "batch": options.batch, "loss": loss,
                      "torch": torch.__version__, "transformers": transformers.__version__, "threads": options.threads}))


if __name__ == "__main__":
    main()
