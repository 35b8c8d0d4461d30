#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/dequantize.h"
#include "model/gguf_architectures.h"
#include "model/gguf_checkpoint.h"

namespace layerboost {
namespace {

/// Reads the keys that begin with the architecture.
class ArchKeys {
 public:
  ArchKeys(const GgufFile& file, std::string arch) : file_(file), prefix_(std::move(arch) + ".") {}
  [[nodiscard]] bool has(std::string_view key) const { return file_.has(name(key)); }
  [[nodiscard]] int integer(std::string_view key) const { return file_.integer(name(key)); }
  [[nodiscard]] int integer(std::string_view key, int fallback) const { return file_.integer(name(key), fallback); }
  [[nodiscard]] double number(std::string_view key, double fallback) const { return file_.number(name(key), fallback); }
  [[nodiscard]] std::string text(std::string_view key, std::string_view fallback) const {
    return file_.text(name(key), fallback);
  }
  [[nodiscard]] bool is_list(std::string_view key) const { return file_.is_list(name(key)); }
  [[nodiscard]] std::vector<bool> flags(std::string_view key) const { return file_.flags(name(key)); }
  [[nodiscard]] const std::string& where() const { return file_.where(); }
  [[nodiscard]] std::string name(std::string_view key) const { return prefix_ + std::string(key); }

 private:
  const GgufFile& file_;
  std::string prefix_;
};

/// Throws Error where the tensor is there and can't be read: a model must not be taken for one without it.
void refuse_unreadable(const GgufFile& file, std::string_view name) {
  if (const auto it = file.unreadable().find(name); it != file.unreadable().end())
    fail("{}: tensor {} {}", file.where(), in_quotes(name), it->second);
}

/// A tensor of d/2 numbers; empty where there is none of this name.
std::vector<double> frequency_divisors(const GgufFile& file, const char* name) {
  refuse_unreadable(file, name);
  const auto it = file.tensors().find(name);
  if (it == file.tensors().end()) return {};
  const Tensor& tensor = it->second;
  constexpr std::int64_t most = 1 << 16;
  if (tensor.shape.size() != 1 || tensor.dtype != DType::f32 || tensor.cols() > most)
    fail("{}: tensor {} should be a vector of F32", file.where(), in_quotes(name));
  std::vector<float> values(static_cast<std::size_t>(tensor.cols()));
  dequantize(tensor.dtype, tensor.data.data(), tensor.cols(), values.data());
  return {values.begin(), values.end()};
}

/// longrope's short and long factors, each a tensor. Returns whether they are there. They are all the scaling there is.
bool read_longrope(const GgufFile& file, const ArchKeys& keys, int max_positions, const std::string& type,
                   RopeConfig& rope) {
  std::vector<double> of_short = frequency_divisors(file, "rope_factors_short.weight");
  std::vector<double> of_long = frequency_divisors(file, "rope_factors_long.weight");
  if (of_short.empty() && of_long.empty()) return false;
  if (of_short.empty() || of_long.empty())
    fail("{}: tensors \"rope_factors_short.weight\" and \"rope_factors_long.weight\" should both be there",
         file.where());
  if (type != "none" && (type != "longrope" || rope.factor != 1))
    fail(
        "{}: {} is {}, with the factor {}, beside longrope's tensors; only none, and longrope without one, are "
        "supported",
        file.where(), keys.name("rope.scaling.type"), in_quotes(type), rope.factor);
  rope.factor = 1;
  rope.divisors = std::move(of_short);
  rope.long_divisors = std::move(of_long);
  rope.longest_short = keys.integer("rope.scaling.original_context_length", max_positions);
  rope.attention_factor = keys.number("rope.scaling.attn_factor", 1);
  return true;
}

RopeConfig read_rope(const GgufFile& file, const ArchKeys& keys, int max_positions) {
  RopeConfig rope;
  rope.base = keys.number("rope.freq_base", 10000);
  rope.factor = keys.number("rope.scaling.factor", keys.number("rope.scale_linear", 1));
  const std::string type = keys.text("rope.scaling.type", rope.factor == 1 ? "none" : "linear");
  if (read_longrope(file, keys, max_positions, type, rope)) return rope;
  rope.divisors = frequency_divisors(file, "rope_freqs.weight");  // llama3's scaling
  if (type == "none") {
    rope.factor = 1;
  } else if (type == "linear") {
    rope.scaling = RopeConfig::Scaling::linear;
  } else if (type == "yarn") {
    rope.scaling = RopeConfig::Scaling::yarn;
    rope.original_positions = keys.number("rope.scaling.original_context_length", max_positions);
    rope.beta_fast = keys.number("rope.scaling.yarn_beta_fast", rope.beta_fast);
    rope.beta_slow = keys.number("rope.scaling.yarn_beta_slow", rope.beta_slow);
    // As ggml's rope_yarn(): the paper's factor, times one of the model's own.
    const double grown = rope.factor > 1 ? 0.1 * std::log(rope.factor) + 1 : 1;
    rope.attention_factor = grown * keys.number("rope.scaling.attn_factor", 1);
  } else {
    fail("{}: {} is {}; none, linear and yarn are supported", file.where(), keys.name("rope.scaling.type"),
         in_quotes(type));
  }
  return rope;
}

int vocabulary_size(const GgufFile& file) {
  refuse_unreadable(file, "token_embd.weight");
  const auto it = file.tensors().find("token_embd.weight");
  if (it == file.tensors().end()) fail("{}: missing tensor \"token_embd.weight\"", file.where());
  if (it->second.shape.size() != 2) fail("{}: tensor \"token_embd.weight\" should be a matrix", file.where());
  return static_cast<int>(std::min<std::int64_t>(it->second.rows(), INT32_MAX));
}

std::vector<int> end_tokens(const GgufFile& file) {
  std::vector<int> result;
  for (const char* key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const std::optional<int> id = file.token(key);
    if (id && std::find(result.begin(), result.end(), *id) == result.end()) result.push_back(*id);
  }
  return result;
}

SamplingDefaults sampling_defaults(const GgufFile& file) {
  const auto number = [&](const char* key) {
    return file.has(key) ? std::optional(file.number(key, 0)) : std::nullopt;
  };
  return {number("general.sampling.temp"), number("general.sampling.top_p"), number("general.sampling.top_k"),
          number("general.sampling.min_p"), number("general.sampling.penalty_repeat")};
}

/// Numbers of 0 mean that there is no such factor. That of logits must be there, as for llama.cpp.
void read_scales(const GgufFile& file, const ArchKeys& keys, Config& c) {
  if (!keys.has("logit_scale")) fail("{}: missing metadata {}", file.where(), in_quotes(keys.name("logit_scale")));
  const auto number = [&](const char* key) { return static_cast<float>(keys.number(key, 0)); };
  const auto factor = [&](const char* key) { return number(key) == 0 ? 1 : number(key); };
  c.embedding_scale = factor("embedding_scale");
  c.residual_scale = factor("residual_scale");
  c.attention_scale = number("attention.scale");
  c.logit_scale = 1 / factor("logit_scale");
}

/// What gemma's layers have beside llama's, but for norms and windows.
void read_gemma(const ArchKeys& keys, const GgufArchitecture& architecture, Config& c) {
  c.embedding_scale = std::sqrt(static_cast<float>(c.hidden));
  // Files don't say it; llama.cpp, too, tells the largest models by their layers.
  const int scalar = c.layers == architecture.scaled_by_width ? c.hidden / c.heads : c.head_size;
  c.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  c.gate = Gate::gelu_tanh;
  c.one_in_norms = true;
  const auto soft_cap = [&](const char* key, float usual) {
    return static_cast<float>(keys.number(key, static_cast<double>(usual)));
  };
  if (architecture.attention_soft_cap > 0)
    c.attention_soft_cap = soft_cap("attn_logit_softcapping", architecture.attention_soft_cap);
  c.logit_soft_cap = soft_cap("final_logit_softcapping", architecture.logit_soft_cap);
}

/// Returns each layer's sliding window; 0: none.
std::vector<int> read_windows(const ArchKeys& keys, const GgufArchitecture& architecture, int layers) {
  const auto count = static_cast<std::size_t>(layers);
  std::vector<int> windows(count, keys.integer("attention.sliding_window", architecture.window));
  if (architecture.full_every == 0) return windows;
  constexpr const char* pattern = "attention.sliding_window_pattern";
  if (keys.is_list(pattern)) {
    const std::vector<bool> has_window = keys.flags(pattern);
    if (has_window.size() != count)
      fail("{}: {} has {} entries for {} layers", keys.where(), keys.name(pattern), has_window.size(), count);
    for (std::size_t layer = 0; layer < count; ++layer)
      if (!has_window[layer]) windows[layer] = 0;
    return windows;
  }
  const auto every = static_cast<std::size_t>(keys.integer(pattern, architecture.full_every));
  for (std::size_t layer = every; every > 0 && layer <= count; layer += every) windows[layer - 1] = 0;
  return windows;
}

/// What this program doesn't compute and must not ignore.
void refuse_unsupported(const GgufFile& file, const ArchKeys& keys, const GgufArchitecture& architecture,
                        const Config& config) {
  if (keys.integer("expert_count", 0) > 0) fail("{}: mixtures of experts are not supported", file.where());
  if (!file.flag(keys.name("attention.causal"), true))
    fail("{}: {} is false: attention to what follows is not supported", file.where(), keys.name("attention.causal"));
  if (architecture.full_every == 0 && keys.has("attention.sliding_window_pattern"))
    fail("{}: {} is there, but windows in some layers are not supported", file.where(),
         keys.name("attention.sliding_window_pattern"));
  // Without a pattern llama.cpp has one of its own (olmo3, whose files say that they are olmo2).
  if (!architecture.norms_before && config.windows.front() > 0)
    fail("{}: {} is {}, but windows in some layers are not supported", file.where(),
         keys.name("attention.sliding_window"), config.windows.front());
  if (architecture.finetuned_is_rope && !file.flag(keys.name("rope.scaling.finetuned"), true))
    fail("{}: {} is false: models without RoPE are not supported", file.where(), keys.name("rope.scaling.finetuned"));
  if (architecture.local_rope_base == 0 && keys.has("rope.freq_base_swa"))
    fail("{}: {} is there, but a RoPE of their own of layers with windows is not supported", file.where(),
         keys.name("rope.freq_base_swa"));
  const auto only_head_size = [&](const char* key) {
    if (const int size = keys.integer(key, config.head_size); size != config.head_size)
      fail("{}: {} is {}; only the head size, {}, is supported", file.where(), keys.name(key), size, config.head_size);
  };
  only_head_size("attention.value_length");
  if (config.rope.rotated == 0) only_head_size("rope.dimension_count");
}

}  // namespace

Config gguf_config(const GgufFile& file) {
  Config c;
  c.arch = file.text("general.architecture");
  const GgufArchitecture* const architecture = find_gguf_architecture(c.arch);
  if (architecture == nullptr)
    fail("{}: architecture {} is not supported; {} are", file.where(), in_quotes(c.arch), gguf_architecture_names());
  const ArchKeys keys(file, c.arch);
  c.name = file.text("general.name", c.arch);
  c.license = file.text("general.license", "");
  c.layers = keys.integer("block_count");
  if (c.layers < 1 || c.layers > max_layers)
    fail("{}: {} is {}; it should be 1 to {}", file.where(), keys.name("block_count"), c.layers, max_layers);
  c.hidden = keys.integer("embedding_length");
  c.heads = keys.integer("attention.head_count");
  c.kv_heads = keys.integer("attention.head_count_kv", c.heads);
  if (c.heads < 1) fail("{}: {} is 0", file.where(), keys.name("attention.head_count"));
  c.head_size = keys.integer("attention.key_length", c.hidden / c.heads);
  c.ffn = keys.integer("feed_forward_length");
  c.max_positions = keys.integer("context_length");
  c.norm_eps = static_cast<float>(keys.number("attention.layer_norm_rms_epsilon", 1e-5));
  c.vocab = vocabulary_size(file);
  c.rope = read_rope(file, keys, c.max_positions);
  c.norms_before = architecture->norms_before;
  c.norms_after = architecture->norms_after;
  c.qk_norm_whole = architecture->qk_norm_whole;
  if (architecture->scales) read_scales(file, keys, c);
  if (architecture->gemma) read_gemma(keys, *architecture, c);
  if (architecture->without_rope > 0)
    for (int layer = 1; layer <= c.layers; ++layer)
      c.rope_layers.push_back(layer % architecture->without_rope == 0 ? LayerRope::none : LayerRope::usual);
  if (const int rotated = keys.integer("rope.dimension_count", c.head_size);
      architecture->partial_rope && rotated > 0 && rotated < c.head_size)
    c.rope.rotated = rotated;
  c.windows = read_windows(keys, *architecture, c.layers);
  const bool any_window = std::any_of(c.windows.begin(), c.windows.end(), [](int window) { return window > 0; });
  if (architecture->local_rope_base > 0 && any_window) {
    c.local_rope.base = keys.number("rope.freq_base_swa", architecture->local_rope_base);
    for (const int window : c.windows) c.rope_layers.push_back(window > 0 ? LayerRope::local : LayerRope::usual);
  }
  c.eos = end_tokens(file);
  c.sampling = sampling_defaults(file);
  const auto has_tensor = [&](const char* name) {
    return file.tensors().contains(name) || file.unreadable().contains(name);
  };
  c.tied_embeddings = !has_tensor("output.weight");
  c.qkv_bias = has_tensor("blk.0.attn_q.bias") || has_tensor("blk.0.attn_qkv.bias");
  c.o_bias = has_tensor("blk.0.attn_output.bias");
  c.mlp_bias = has_tensor("blk.0.ffn_up.bias");
  c.qk_norm = c.qk_norm_whole || has_tensor("blk.0.attn_q_norm.weight");
  refuse_unsupported(file, keys, *architecture, c);
  check_config(c, file.where());
  return c;
}

}  // namespace layerboost
