"""A model exported by layerboost, for Hugging Face transformers (4.56.0 to 5.24.0 are tested).

    model = AutoModelForCausalLM.from_pretrained(DIR, trust_remote_code=True, dtype="auto")

Each layer has the mixer that the plan gave it, config.layerboost["mixers"][layer]:
    softmax       full causal attention
    window:W+S    attention to the last W positions (its own included) and the first S; window:W+S/full:0,2: in KV heads
                  0 and 2 to all of them
    hybrid:W+S    the same, and a linear state of what lies between (LoLCATs)
    gated:W       attention to the last W positions with learned sinks, and a linear state that fades (Lizard)
    dual_state    linear attention out of two states, of which one fades slowly and one fast (DSLA); dual_state:x+norm:
                  with two of its variants
    map           a linear map of the normalised input in place of attention
    none          nothing: no norm, no projections, no cache

The cache of `generate` is a LayerBoostCache: it keeps what these mixers need and no more.

All of it is one file, because every exported directory has a copy: config.json ("auto_map") names this file alone, and
whoever is asked to trust the code has one file to read.
"""

from functools import partial
from typing import NamedTuple, Optional

import torch
import torch.nn.functional as F
import transformers
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

# What transformers calls the cache, in arguments and in outputs: "cache" since 5.24, "past_key_values" before.
CACHE_NAMES = ("cache", "past_key_values")
CACHE_NAME = next(name for name in CACHE_NAMES if name in CausalLMOutputWithPast.__dataclass_fields__)


class LayerBoostConfig(PretrainedConfig):
    """Sizes as in LlamaConfig. `layerboost` holds what is ours:

    "mixers": one text per layer
    "rope_frequencies": radians per position of each pair of dimensions, 0 where there is no RoPE
    "rope_attention_factor": of cosines and sines
    "rope_layers": one of "usual", "none" and "local" per layer; the last have "local_rope_frequencies"
    "o_bias", "qk_norm": whether there are these
    "qk_norm_whole": whether that is one norm for all heads
    "norms_before", "norms_after": of what mixers and MLPs read and put out
    "norms_plus_one": whether the norms' weights are what is added to 1
    "embedding_scale", "residual_scale", "attention_scale", "logit_scale": what embeddings, what layers add to the
        residual stream, scores (0: 1 / sqrt(d)) and logits are multiplied by
    "attention_soft_cap", "logit_soft_cap": of scores and of logits (soft_capped()); 0: none"""

    model_type = "layerboost"
    keys_to_ignore_at_inference = list(CACHE_NAMES)

    def __init__(
        self,
        vocab_size=32000,
        hidden_size=512,
        intermediate_size=1024,
        num_hidden_layers=2,
        num_attention_heads=8,
        num_key_value_heads=None,
        head_dim=None,
        hidden_act="silu",
        max_position_embeddings=2048,
        rms_norm_eps=1e-6,
        attention_bias=False,
        mlp_bias=False,
        initializer_range=0.02,
        use_cache=True,
        layerboost=None,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads or num_attention_heads
        self.head_dim = head_dim or hidden_size // num_attention_heads
        self.hidden_act = hidden_act
        self.max_position_embeddings = max_position_embeddings
        self.rms_norm_eps = rms_norm_eps
        self.attention_bias = attention_bias
        self.mlp_bias = mlp_bias
        self.initializer_range = initializer_range
        self.use_cache = use_cache
        plain = [10000.0 ** (-2 * i / self.head_dim) for i in range(self.head_dim // 2)]
        defaults = {"mixers": ["softmax"] * num_hidden_layers, "rope_frequencies": plain, "rope_attention_factor": 1.0}
        defaults.update(rope_layers=["usual"] * num_hidden_layers, local_rope_frequencies=plain, norms_plus_one=False)
        defaults.update(qk_norm_whole=False, norms_before=True, norms_after=False)
        defaults.update(embedding_scale=1.0, residual_scale=1.0, attention_scale=0.0, logit_scale=1.0)
        defaults.update(attention_soft_cap=0.0, logit_soft_cap=0.0)
        self.layerboost = {**defaults, "o_bias": False, "qk_norm": False, **(layerboost or {})}
        super().__init__(**kwargs)


class MixerSpec(NamedTuple):
    kind: str
    window: int = 0  # of window, hybrid and gated
    sinks: int = 0  # of window and hybrid
    full: tuple = ()  # KV heads with softmax all the same
    variants: tuple = ()  # of dual_state

    @classmethod
    def parse(cls, text: str) -> "MixerSpec":
        mixer, _, heads = text.partition("/full:")
        kind, _, numbers = mixer.partition(":")
        known = ("softmax", "window", "hybrid", "gated", "dual_state", "map", "none")
        if kind not in known:
            raise ValueError(f"unknown mixer {text!r}; this code knows {', '.join(known)}")
        if kind == "dual_state":
            return cls(kind, variants=tuple(name for name in numbers.split("+") if name))
        window, _, sinks = numbers.partition("+")
        return cls(kind, int(window or 0), int(sinks or 0), tuple(int(head) for head in heads.split(",") if head))

    @property
    def attends(self) -> bool:
        return self.kind in ("softmax", "window", "hybrid", "gated", "dual_state")


class LayerCache:
    """Keys and values of one layer, with the position of each in its own text (-1: padding).

    Softmax keeps all, and so does a window with full heads (in all heads: what the others don't see is masked). Other
    windows keep the last W - 1 and, once they leave it, the first S, in slots of their own. Linear states are kept
    beside: sums of features times values [B, H, f, d] and of features [B, H, f, 1]; or dual_state's [B, G, states, d, d].
    """

    is_compileable = False
    is_croppable = False
    is_sliding = False
    is_initialized = True
    supports_early_init = False

    def __init__(self, spec: MixerSpec):
        self.spec = MixerSpec("softmax") if spec.full else spec
        self.keys = self.values = self.positions = None  # [B, G, N, d] twice, [B, N]; sinks first
        self.state = None

    def update(self, keys, values, positions):
        """Adds the keys and values of new positions; returns all that the new queries may look at. To be followed by
        evict()."""
        if self.keys is None:
            batch, heads, _, size = keys.shape
            shape = (batch, heads, self.spec.sinks, size)
            self.keys, self.values = keys.new_zeros(shape), values.new_zeros(shape)
            self.positions = positions.new_full((batch, self.spec.sinks), -1)
        self.keys = torch.cat([self.keys, keys], dim=2)
        self.values = torch.cat([self.values, values], dim=2)
        self.positions = torch.cat([self.positions, positions], dim=1)
        return self.keys, self.values, self.positions

    def evict(self):
        """Forgets what the next query won't see. Returns the keys, values and positions that left a window, sinks
        among them."""
        sinks = self.spec.sinks
        leaving = self.positions.shape[1] - sinks - (self.spec.window - 1) if self.spec.window else 0
        gone = slice(sinks, sinks + max(leaving, 0))
        left = self.keys[:, :, gone], self.values[:, :, gone], self.positions[:, gone]
        if leaving <= 0:
            return left
        first_keys, first_values = self.keys[:, :, :sinks].clone(), self.values[:, :, :sinks].clone()
        first_positions = self.positions[:, :sinks].clone()
        for slot in range(sinks):
            found = self.positions[:, gone] == slot  # [B, leaving], at most one in a row
            rows = found.any(dim=1)
            columns = sinks + found[rows].int().argmax(dim=1)
            first_keys[rows, :, slot] = self.keys[rows, :, columns]
            first_values[rows, :, slot] = self.values[rows, :, columns]
            first_positions[rows, slot] = slot
        kept = slice(sinks + leaving, None)
        self.keys = torch.cat([first_keys, self.keys[:, :, kept]], dim=2)
        self.values = torch.cat([first_values, self.values[:, :, kept]], dim=2)
        self.positions = torch.cat([first_positions, self.positions[:, kept]], dim=1)
        return left

    def add_to_state(self, sums, totals):
        self.state = (sums, totals) if self.state is None else (self.state[0] + sums, self.state[1] + totals)

    def get_seq_length(self) -> int:
        return 0 if self.positions is None else self.positions.shape[1]

    def get_max_length(self) -> int:
        return -1

    def reset(self):
        self.keys = self.values = self.positions = self.state = None

    def _select(self, choose):
        if self.keys is not None:
            self.keys, self.values, self.positions = choose(self.keys), choose(self.values), choose(self.positions)
        if self.state is not None:
            self.state = tuple(choose(part) for part in self.state)

    def reorder_cache(self, beam_idx):
        self._select(lambda tensor: tensor.index_select(0, beam_idx.to(tensor.device)))

    def batch_repeat_interleave(self, repeats: int):
        self._select(lambda tensor: tensor.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices):
        self._select(lambda tensor: tensor[indices])


class LayerBoostCache(Cache):
    """What all layers keep of a batch of texts. The texts of a batch are padded on the left."""

    def __init__(self, config: LayerBoostConfig):
        specs = [MixerSpec.parse(text) for text in config.layerboost["mixers"]]
        super().__init__(layers=[LayerCache(spec) for spec in specs])
        self.seen = 0  # positions, padding included

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.seen

    def reset(self):
        super().reset()
        self.seen = 0

    def crop(self, *args, **kwargs):
        raise NotImplementedError("windows don't keep what was cropped: no assisted or contrastive generation")


def given_cache(arguments):
    """The cache among forward()'s arguments, whatever its name; None: there is none."""
    found = None
    for name, value in arguments.items():
        if value is None or not (name in CACHE_NAMES or isinstance(value, Cache)):
            continue
        if name not in CACHE_NAMES:
            raise ValueError(f"{name} holds a cache; this code knows it by the names {' and '.join(CACHE_NAMES)}")
        if not isinstance(value, LayerBoostCache):
            raise ValueError(f"{name} must be a LayerBoostCache(model.config), or None, not a {type(value).__name__}")
        if found is not None and value is not found:
            raise ValueError(f"two caches are given, as {' and as '.join(CACHE_NAMES)}")
        found = value
    return found


def positions_of(attention_mask, position_ids, past, length):
    """The position of each of `length` new tokens in its own text, [B, T], counted by the mask [B, past + T]: those that
    sinks and windows go by. `position_ids`: the caller's, checked where there is text; with other ones the cache holds
    another text than the caller means, or none."""
    positions = (attention_mask.long().cumsum(dim=1) - 1)[:, -length:]
    if position_ids is not None:
        if position_ids.dim() != 2 or position_ids.shape[1] != length:
            raise ValueError(f"position_ids must be of shape [B, {length}], not {list(position_ids.shape)}")
        differ = (position_ids.to(positions.device) != positions) & attention_mask[:, -length:].bool()
        if differ.any():
            row, column = differ.nonzero()[0].tolist()
            given = position_ids[row if position_ids.shape[0] > 1 else 0, column].item()
            raise ValueError(
                f"position_ids say {given} where the cache, which holds {past} tokens, and attention_mask make it "
                f"{positions[row, column].item()}: is it the cache of this text?"
            )
    return positions


class RMSNorm(nn.Module):
    """Reads the residual stream, which is kept in float32, and gives the precision of the weights."""

    def __init__(self, size: int, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = config.rms_norm_eps
        self.plus = 1.0 if config.layerboost["norms_plus_one"] else 0.0

    def forward(self, x):
        y = x.float()
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)
        return ((self.weight.float() + self.plus) * y).to(self.weight.dtype)


def input_norm(config):
    """Of what mixers and MLPs read of the residual stream."""
    return RMSNorm(config.hidden_size, config) if config.layerboost["norms_before"] else nn.Identity()


def output_norm(config):
    """Of what mixers and MLPs put out."""
    return RMSNorm(config.hidden_size, config) if config.layerboost["norms_after"] else nn.Identity()


def times(x, factor: float):
    return x if factor == 1 else x * factor


def soft_capped(x, cap: float):
    """Never beyond the cap, and hardly changed where small beside it; a cap of 0 is none."""
    return cap * torch.tanh(x / cap) if cap else x


def rotate(x, cos, sin):
    """RoPE on [B, heads, T, d], the two halves of d being the pairs."""
    left, right = x.float().chunk(2, dim=-1)
    return torch.cat([left * cos - right * sin, right * cos + left * sin], dim=-1).to(x.dtype)


class Step:
    """What the layers of one forward pass share: positions, rotations, masks."""

    def __init__(self, config, positions, real, dtype):
        self.positions = positions.masked_fill(~real, -1)  # [B, T]
        self.rotations = {}  # cosines and sines of each kind of layer
        for kind, key in (("usual", "rope_frequencies"), ("local", "local_rope_frequencies")):
            if kind in config.layerboost["rope_layers"]:
                frequencies = torch.tensor(config.layerboost[key], dtype=torch.float32, device=positions.device)
                angles = positions.clamp(min=0)[:, None, :, None].float() * frequencies  # [B, 1, T, d/2]
                factors = torch.where(frequencies == 0, 1.0, config.layerboost["rope_attention_factor"])
                self.rotations[kind] = angles.cos() * factors, angles.sin() * factors
        self.dtype = dtype
        self.scale = config.layerboost["attention_scale"] or config.head_dim**-0.5
        self.soft_cap = config.layerboost["attention_soft_cap"]
        self.kv_heads = config.num_key_value_heads
        self.groups = config.num_attention_heads // self.kv_heads
        self._masks = {}

    def before(self, key_positions):
        """[B, 1, T, N]: whether a key lies at the query's position or before it."""
        query, key = self.positions[:, None, :, None], key_positions[:, None, None, :]
        return (key >= 0) & (key <= query)

    def seen(self, spec: MixerSpec, key_positions):
        """Those of before() that softmax attention looks at: [B, 1, T, N], or with full heads [B, H, T, N]."""
        query, key = self.positions[:, None, :, None], key_positions[:, None, None, :]
        seen = self.before(key_positions)
        if not spec.window:
            return seen
        near = (query - key < spec.window) | (key < spec.sinks)
        if not spec.full:
            return seen & near
        full = torch.zeros(self.kv_heads, dtype=torch.bool, device=seen.device)
        full[list(spec.full)] = True
        return seen & (near | full.repeat_interleave(self.groups)[None, :, None, None])

    def mask(self, spec: MixerSpec, key_positions):
        """seen() as numbers to be added to the scores. Layers of one kind see the same positions."""
        if spec not in self._masks:
            seen = self.seen(spec, key_positions)
            lowest = torch.finfo(self.dtype).min  # not -inf: a row of padding sees nothing
            self._masks[spec] = torch.zeros(seen.shape, dtype=self.dtype, device=seen.device).masked_fill(~seen, lowest)
        return self._masks[spec]


def features(x, maps):
    """[B, H, N, d] -> [B, H, N, 2 f], with maps [H, d, f]."""
    mapped = x.float() @ maps.float()
    return torch.cat([mapped.softmax(dim=-1), (-mapped).softmax(dim=-1)], dim=-1).clamp(min=1e-12)


def scores_of(q, k, step: Step):
    """[B, H, T, N], in float32."""
    return soft_capped((q.float() @ k.float().transpose(2, 3)) * step.scale, step.soft_cap)


def capped_attention(q, k, v, mask, step: Step):
    """Softmax attention where scores have a soft cap, which PyTorch's has no room for."""
    return (scores_of(q, k, step) + mask.float()).softmax(dim=-1) @ v.float()


def window_weights(q, k, seen, step: Step, floor=None):
    """e^(score - c) of the positions seen, 0 elsewhere, [B, H, T, N], and c [B, H, T, 1]: the largest score, or `floor`
    [H, 1, 1] if that is larger."""
    scores = scores_of(q, k, step).masked_fill(~seen, torch.finfo(torch.float32).min)
    largest = scores.amax(dim=-1, keepdim=True)
    if floor is not None:
        largest = torch.maximum(largest, floor)
    return (scores - largest).exp() * seen, largest


class Hybrid(nn.Module):
    """The parameters of a hybrid layer, and what it does between projections (docs/mixers.md of layerboost)."""

    def __init__(self, config):
        super().__init__()
        heads, d = config.num_attention_heads, config.head_dim
        self.q_features = nn.Parameter(torch.zeros(heads, d, d // 2))
        self.k_features = nn.Parameter(torch.zeros(heads, d, d // 2))
        self.window_weight = nn.Parameter(torch.zeros(heads))

    def mix(self, spec, q, k, v, positions, step, state):
        """q [B, H, T, d] after RoPE; k and v [B, H, N, d] of `positions`; `state`: of what lies before them, or None."""
        seen = step.seen(spec, positions)
        weights, _ = window_weights(q, k, seen, step)
        weights = weights * self.window_weight.float().exp()[:, None, None]
        mapped = features(q, self.q_features)
        behind = step.before(positions) & ~seen
        weights = weights + (mapped @ features(k, self.k_features).transpose(2, 3)) * behind
        sums, totals = weights @ v.float(), weights.sum(dim=-1, keepdim=True)
        if state is not None:
            sums, totals = sums + mapped @ state[0], totals + mapped @ state[1]
        return sums / totals.clamp(min=1e-30)

    def state_of(self, spec, k, v, positions):
        """What the positions that leave the window add to the state; sinks and padding add nothing."""
        mapped = features(k, self.k_features) * (positions >= spec.sinks)[:, None, :, None]
        mapped = mapped.transpose(2, 3)
        return mapped @ v.float(), mapped.sum(dim=-1, keepdim=True)


class Gated(nn.Module):
    """The parameters of a gated layer, and what it does between projections (docs/mixers.md of layerboost)."""

    def __init__(self, config):
        super().__init__()
        heads, d = config.num_attention_heads, config.head_dim
        self.q_features = nn.Parameter(torch.zeros(heads, d, d // 2))
        self.k_features = nn.Parameter(torch.zeros(heads, d, d // 2))
        self.gate = nn.Parameter(torch.zeros(heads, config.hidden_size))
        self.gate_bias = nn.Parameter(torch.zeros(heads))
        self.sink_logits = nn.Parameter(torch.zeros(heads, 4))
        self.linear_scale = nn.Parameter(torch.zeros(heads))
        self.window_scale = nn.Parameter(torch.zeros(heads))

    def window(self, spec, q, k, v, positions, step):
        """Softmax over the window, with sinks that have logits but no values."""
        sinks = self.sink_logits.float()
        seen, floor = step.seen(spec, positions), sinks.amax(dim=-1)[:, None, None]
        weights, largest = window_weights(q, k, seen, step, floor)
        totals = weights.sum(dim=-1, keepdim=True) + (sinks[:, None, :] - largest).exp().sum(dim=-1, keepdim=True)
        return (weights @ v.float()) / totals * self.window_scale.float()[:, None, None]

    def linear(self, x, q, k, v, step, state):
        """q, k before RoPE and v, all [B, H, T, d] of the new positions; x [B, T, D]. Returns the output and the state
        behind the last position."""
        real = (step.positions >= 0)[:, None, :, None]  # [B, 1, T, 1]
        gate = F.linear(x.float(), self.gate.float(), self.gate_bias.float()).transpose(1, 2)[..., None]  # [B, H, T, 1]
        faded = (F.logsigmoid(gate) * real).cumsum(dim=2)
        mapped_q, mapped_k = features(q, self.q_features), features(k, self.k_features) * real
        length = q.shape[2]
        causal = torch.ones(length, length, dtype=torch.bool, device=q.device).tril()
        decay = (faded - faded.transpose(2, 3)).masked_fill(~causal, float("-inf")).exp()
        weights = (mapped_q @ mapped_k.transpose(2, 3)) * decay
        sums, totals = weights @ v.float(), weights.sum(dim=-1, keepdim=True)
        kept = (mapped_k * (faded[:, :, -1:] - faded).exp()).transpose(2, 3)
        after = kept @ v.float(), kept.sum(dim=-1, keepdim=True)
        if state is not None:
            before = mapped_q * faded.exp()
            sums, totals = sums + before @ state[0], totals + before @ state[1]
            left = faded[:, :, -1:].exp()
            after = after[0] + state[0] * left, after[1] + state[1] * left
        return sums / totals.clamp(min=1e-30) * self.linear_scale.float()[:, None, None], after


class DualState(nn.Module):
    """The parameters of a dual_state layer, and what it does between projections (docs/mixers.md of layerboost)."""

    CHUNK = 16  # tokens at a time: with differences of gates as such, so that none is ever too large

    def __init__(self, config, variants):
        super().__init__()
        heads, d = config.num_key_value_heads, config.head_dim
        self.on_x = "x" in variants
        shape = (config.hidden_size, heads * d) if self.on_x else (heads, d, d)
        self.history_gate = nn.Parameter(torch.zeros(shape))
        self.history_bias = nn.Parameter(torch.zeros(heads, d))
        if "one" not in variants:
            self.recency_gate = nn.Parameter(torch.zeros(shape))
            self.recency_bias = nn.Parameter(torch.zeros(heads, d))
            self.blend = nn.Parameter(torch.zeros(2))
        self.norm = nn.Parameter(torch.ones(d)) if "norm" in variants else None
        self.eps = config.rms_norm_eps

    def log_gates(self, x, k):
        """[B, G, states, T, d]."""
        batch, heads, length, d = k.shape
        logits = []
        for name in ("history", "recency"):
            gate = getattr(self, name + "_gate", None)
            if gate is None:
                continue
            if self.on_x:
                z = (x.float() @ gate.float()).view(batch, length, heads, d).transpose(1, 2)
            else:
                z = k.float() @ gate.float()
            logits.append(z + getattr(self, name + "_bias").float()[:, None, :])
        return (F.logsigmoid(torch.stack(logits, dim=2)) / 16).clamp(min=-50)

    def mix(self, x, q, k, v, step, state):
        """q [B, H, T, d], k and v [B, G, T, d] before RoPE, of the new positions; x [B, T, D]. Returns the output and
        the states behind the last position."""
        batch, heads, length, d = k.shape
        real = (step.positions >= 0)[:, None, :, None]  # [B, 1, T, 1]
        logs = self.log_gates(x, k) * real[:, :, None]
        k, v = k.float() * real, v.float()
        weights = self.blend.float().softmax(dim=0) if hasattr(self, "blend") else torch.ones(1, device=q.device)
        q = q.float().view(batch, heads, -1, length, d) / d**0.5  # [B, G, R, T, d]
        if state is None:
            state = q.new_zeros(batch, heads, logs.shape[2], d, d)
        outputs = []
        for first in range(0, length, self.CHUNK):
            own = slice(first, first + self.CHUNK)
            faded, queries, keys, values = logs[:, :, :, own].cumsum(dim=3), q[:, :, :, own], k[:, :, own], v[:, :, own]
            size = keys.shape[2]
            causal = torch.ones(size, size, dtype=torch.bool, device=q.device).tril()[:, :, None]
            decay = (faded[:, :, :, :, None] - faded[:, :, :, None]).masked_fill(~causal, float("-inf")).exp()
            scores = torch.einsum("s,bgrti,bgui,bgstui->bgrtu", weights, queries, keys, decay)
            outputs.append(
                torch.einsum("bgrtu,bguj->bgrtj", scores, values)
                + torch.einsum("s,bgrti,bgsti,bgsij->bgrtj", weights, queries, faded.exp(), state)
            )
            kept = (faded[:, :, :, -1:] - faded).exp() * keys[:, :, None]
            state = faded[:, :, :, -1, :, None].exp() * state + torch.einsum("bgsui,bguj->bgsij", kept, values)
        y = torch.cat(outputs, dim=3).view(batch, -1, length, d)
        if self.norm is not None:
            y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps) * self.norm.float()
        return y, (state,)


class Attention(nn.Module):
    def __init__(self, config, layer: int, spec: MixerSpec):
        super().__init__()
        self.layer, self.spec, self.head_dim = layer, spec, config.head_dim
        self.groups = config.num_attention_heads // config.num_key_value_heads
        width, d = config.hidden_size, config.head_dim
        self.q_proj = nn.Linear(width, config.num_attention_heads * d, bias=config.attention_bias)
        self.k_proj = nn.Linear(width, config.num_key_value_heads * d, bias=config.attention_bias)
        self.v_proj = nn.Linear(width, config.num_key_value_heads * d, bias=config.attention_bias)
        self.o_proj = nn.Linear(config.num_attention_heads * d, width, bias=config.layerboost["o_bias"])
        self.rope = config.layerboost["rope_layers"][layer]
        self.has_norm = config.layerboost["qk_norm"]
        self.whole_norm = config.layerboost["qk_norm_whole"]
        if self.has_norm:
            whole = self.whole_norm
            self.q_norm = RMSNorm(config.num_attention_heads * d if whole else d, config)
            self.k_norm = RMSNorm(config.num_key_value_heads * d if whole else d, config)
        self.output_norm = output_norm(config)

    def forward(self, x, step: Step, cache: Optional[LayerBoostCache], own):
        """`own`: the layer's Hybrid, Gated or DualState, or None."""
        x = x.to(self.q_proj.weight.dtype)  # as it is where there is no norm before
        batch, length, _ = x.shape
        kept = cache.layers[self.layer] if cache is not None else None
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        if self.has_norm and self.whole_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (part.view(batch, length, -1, self.head_dim) for part in (q, k, v))
        if self.has_norm and not self.whole_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v, positions = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), step.positions
        state = kept.state if kept is not None else None
        if self.spec.kind == "dual_state":
            y, after = own.mix(x, q, k, v, step, None if state is None else state[0])
            if kept is not None:
                kept.state = after
            return self.output(y, x)
        if self.spec.kind == "gated":
            linear, after = own.linear(x, q, self.per_query_head(k), self.per_query_head(v), step, state)
        if self.rope != "none":
            q, k = (rotate(part, *step.rotations[self.rope]) for part in (q, k))
        if kept is not None:
            k, v, positions = kept.update(k, v, positions)
        k, v = self.per_query_head(k), self.per_query_head(v)
        if self.spec.kind == "hybrid":
            y = own.mix(self.spec, q, k, v, positions, step, state)
        elif self.spec.kind == "gated":
            y = linear + own.window(self.spec, q, k, v, positions, step)
        elif step.soft_cap:
            y = capped_attention(q, k, v, step.mask(self.spec, positions), step)
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=step.mask(self.spec, positions), scale=step.scale)
        if kept is not None:
            gone_k, gone_v, gone = kept.evict()
            if self.spec.kind == "hybrid" and gone.shape[1]:
                parts = own.state_of(self.spec, self.per_query_head(gone_k), self.per_query_head(gone_v), gone)
                kept.add_to_state(*parts)
            elif self.spec.kind == "gated":
                kept.state = after
        return self.output(y, x)

    def output(self, y, x):
        """Wo times y [B, H, T, d], in the precision of x [B, T, D]."""
        return self.output_norm(self.o_proj(y.to(x.dtype).transpose(1, 2).reshape(*x.shape[:2], -1)))

    def per_query_head(self, x):
        return x.repeat_interleave(self.groups, dim=1)


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_bias)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_bias)
        self.output_norm = output_norm(config)
        self.gate = F.silu if config.hidden_act == "silu" else partial(F.gelu, approximate="tanh")

    def forward(self, x):
        x = x.to(self.gate_proj.weight.dtype)
        inner = self.gate(self.gate_proj(x).float()) * self.up_proj(x).float()  # rounded once
        return self.output_norm(self.down_proj(inner.to(x.dtype)))


class DecoderLayer(nn.Module):
    def __init__(self, config, layer: int):
        super().__init__()
        self.spec = MixerSpec.parse(config.layerboost["mixers"][layer])
        if self.spec.kind != "none":
            self.input_layernorm = input_norm(config)
        if self.spec.attends:
            self.self_attn = Attention(config, layer, self.spec)
        if self.spec.kind == "hybrid":
            self.hybrid = Hybrid(config)
        elif self.spec.kind == "gated":
            self.gated = Gated(config)
        elif self.spec.kind == "dual_state":
            self.dual_state = DualState(config, self.spec.variants)
        elif self.spec.kind == "map":
            self.map = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_attention_layernorm = input_norm(config)
        self.mlp = MLP(config)
        self.residual_scale = config.layerboost["residual_scale"]

    def forward(self, x, step: Step, cache: Optional[LayerBoostCache]):
        if self.spec.attends:
            own = getattr(self, self.spec.kind, None)
            x = x + times(self.self_attn(self.input_layernorm(x), step, cache, own), self.residual_scale)
        elif self.spec.kind == "map":
            x = x + self.map(self.input_layernorm(x).to(self.map.weight.dtype))
        return x + times(self.mlp(self.post_attention_layernorm(x)), self.residual_scale)


class LayerBoostPreTrainedModel(PreTrainedModel):
    config_class = LayerBoostConfig
    base_model_prefix = "model"
    _no_split_modules = ["DecoderLayer"]
    _skip_keys_device_placement = list(CACHE_NAMES)
    _keep_in_fp32_modules_strict = ["hybrid", "gated", "dual_state"]
    _supports_sdpa = True


class LayerBoostModel(LayerBoostPreTrainedModel):
    def __init__(self, config: LayerBoostConfig):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([DecoderLayer(config, layer) for layer in range(config.num_hidden_layers)])
        self.norm = RMSNorm(config.hidden_size, config)
        self.post_init()

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values: Optional[LayerBoostCache] = None,
        inputs_embeds=None,
        use_cache=None,
        output_hidden_states=None,
        cache: Optional[LayerBoostCache] = None,
        **kwargs,
    ):
        """`attention_mask` [B, past + T]: 1 where there is text, 0 on padding; past: tokens in the cache, which has two
        names (CACHE_NAMES). Raises ValueError when mask, positions and cache don't belong together."""
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        use_cache = self.config.use_cache if use_cache is None else use_cache
        cache = given_cache({"past_key_values": past_key_values, "cache": cache, **kwargs})
        if cache is None and use_cache:
            cache = LayerBoostCache(self.config)
        past = cache.seen if cache is not None else 0

        batch, length, _ = x.shape
        if attention_mask is None:
            attention_mask = x.new_ones((batch, past + length), dtype=torch.long)
        if attention_mask.dim() != 2 or attention_mask.shape[1] != past + length:
            raise ValueError(
                f"attention_mask must be of shape {[batch, past + length]} ({past} tokens in the cache, {length} new "
                f"ones), not {list(attention_mask.shape)}"
            )
        positions = positions_of(attention_mask, position_ids, past, length)
        step = Step(self.config, positions, attention_mask[:, -length:].bool(), x.dtype)
        x = times(x.float(), self.config.layerboost["embedding_scale"])

        states = (x,)
        for layer in self.layers:
            x = layer(x, step, cache)
            states += (x,) if output_hidden_states else ()
        if cache is not None:
            cache.seen += length
        x = self.norm(x)
        return BaseModelOutputWithPast(
            **{CACHE_NAME: cache},
            last_hidden_state=x,
            hidden_states=states[:-1] + (x,) if output_hidden_states else None,
        )


class LayerBoostForCausalLM(LayerBoostPreTrainedModel, GenerationMixin):
    _tied_weights_keys = (
        {"lm_head.weight": "model.embed_tokens.weight"}
        if int(transformers.__version__.split(".")[0]) >= 5
        else ["lm_head.weight"]
    )

    def __init__(self, config: LayerBoostConfig):
        super().__init__(config)
        self.model = LayerBoostModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def _prepare_cache_for_generation(self, generation_config, model_kwargs, *args, **kwargs):
        if generation_config.cache_implementation not in (None, "dynamic"):
            raise ValueError(f"cache_implementation={generation_config.cache_implementation!r} is not supported")
        cache = given_cache({name: model_kwargs.pop(name, None) for name in CACHE_NAMES})
        if cache is not None:
            cache._is_user_defined = True  # so that generate() leaves nothing in it that it doesn't return
        elif generation_config.use_cache is not False:
            cache = LayerBoostCache(self.config)
        if cache is not None:
            model_kwargs[CACHE_NAME] = cache

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        past_key_values: Optional[LayerBoostCache] = None,
        inputs_embeds=None,
        labels=None,
        use_cache=None,
        output_hidden_states=None,
        logits_to_keep=0,
        cache: Optional[LayerBoostCache] = None,
        **kwargs,
    ):
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            cache=cache,
            **kwargs,
        )
        rows = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        own = self.config.layerboost
        logits = times(self.lm_head(outputs.last_hidden_state[:, rows]), own["logit_scale"])
        logits = soft_capped(logits, own["logit_soft_cap"])
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        return CausalLMOutputWithPast(
            **{CACHE_NAME: outputs[CACHE_NAME] if CACHE_NAME in outputs else None},
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
        )
