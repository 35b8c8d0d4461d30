#include "model/hf_config.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/in_quotes.h"
#include "model/exported_config.h"
#include "model/hf_json.h"
#include "model/hf_model_types.h"
#include "model/hf_rope.h"

namespace layerboost {
namespace {

/// Adds the ids of "eos_token_id", one or a list; negative ones mean none.
void add_end_tokens(const JsonFields& fields, std::vector<int>& ids) {
  const SortedJson* value = fields.find("eos_token_id");
  if (value == nullptr) return;
  const auto add = [&](const SortedJson& id) {
    if (!id.is_number_integer())
      fail("{}: \"eos_token_id\" should be an integer or a list of integers", fields.where());
    const auto number = id.get<std::int64_t>();
    if (number < 0) return;
    if (number > INT32_MAX) fail("{}: \"eos_token_id\" {} is not a token id", fields.where(), number);
    if (std::find(ids.begin(), ids.end(), number) == ids.end()) ids.push_back(static_cast<int>(number));
  };
  if (value->is_array()) {
    for (const SortedJson& id : *value) add(id);
  } else {
    add(*value);
  }
}

SamplingDefaults read_sampling_defaults(const JsonFields& fields) {
  const auto number = [&](const char* key) {
    return fields.find(key) == nullptr ? std::nullopt : std::optional(fields.number(key));
  };
  return {number("temperature"), number("top_p"), number("top_k"), number("min_p"), number("repetition_penalty")};
}

/// Whether each layer has RoPE: `no_rope_layers` has a 0 where it hasn't; without that key, every so many-th layer.
std::vector<LayerRope> read_rope_layers(const JsonFields& fields, int layers) {
  std::vector<LayerRope> result(static_cast<std::size_t>(layers), LayerRope::usual);
  const SortedJson* const given = fields.find("no_rope_layers");
  if (given == nullptr) {
    const auto interval = static_cast<std::size_t>(fields.integer("no_rope_layer_interval", 4));
    if (interval == 0) fail("{}: \"no_rope_layer_interval\" is 0", fields.where());
    for (std::size_t layer = interval - 1; layer < result.size(); layer += interval) result[layer] = LayerRope::none;
    return result;
  }
  const auto bad = [](const SortedJson& value) { return !value.is_number_integer(); };
  if (!given->is_array() || given->size() < result.size() || std::any_of(given->begin(), given->end(), bad))
    fail("{}: \"no_rope_layers\" should be a list of {} integers", fields.where(), layers);
  for (std::size_t layer = 0; layer < result.size(); ++layer)
    if ((*given)[layer] == 0) result[layer] = LayerRope::none;
  return result;
}

/// The width of the windows of those layers that have one; 0: none, also where it is null.
int window_width(const JsonFields& fields, const HfModelType& type) {
  return fields.integer("sliding_window", fields.has("sliding_window") ? 0 : type.window);
}

[[noreturn]] void fail_without_width(const JsonFields& fields, int layer) {
  fail("{}: layer {} is of type sliding_attention, but no sliding window is in use", fields.where(), layer);
}

/// The windows as `layer_types` has them.
std::vector<int> windows_by_types(const JsonFields& fields, const SortedJson& types, int layers, int width) {
  if (!types.is_array() || types.size() != static_cast<std::size_t>(layers))
    fail("{}: \"layer_types\" should be a list of {} strings", fields.where(), layers);
  std::vector<int> windows(types.size(), 0);
  for (std::size_t layer = 0; layer < windows.size(); ++layer) {
    if (types[layer] == "full_attention") continue;
    if (types[layer] != "sliding_attention")
      fail("{}: layer {} has a type other than full_attention and sliding_attention", fields.where(), layer);
    if (width == 0) fail_without_width(fields, static_cast<int>(layer));
    windows[layer] = width;
  }
  return windows;
}

/// Windows::some.
std::vector<int> windows_of_some(const JsonFields& fields, const HfModelType& type, const Config& c) {
  const int width = fields.flag("use_sliding_window", false) ? window_width(fields, type) : 0;
  if (const SortedJson* const types = fields.find("layer_types"); types != nullptr)
    return windows_by_types(fields, *types, c.layers, width);
  std::vector<int> windows(static_cast<std::size_t>(c.layers), 0);
  // Where there are layers without RoPE, these have the windows.
  const int first = c.rope_layers.empty() ? fields.integer("max_window_layers", 28) : 0;
  for (int layer = first; layer < c.layers; ++layer)
    if (c.rope_layers.empty() || !c.has_rope(layer)) windows[static_cast<std::size_t>(layer)] = width;
  return windows;
}

/// Windows::most.
std::vector<int> windows_of_most(const JsonFields& fields, const HfModelType& type, int layers) {
  const int width = window_width(fields, type);
  if (const SortedJson* const types = fields.find("layer_types"); types != nullptr)
    return windows_by_types(fields, *types, layers, width);
  const int without =
      type.full_every_is_told ? fields.integer("sliding_window_pattern", type.full_every) : type.full_every;
  if (without == 0) fail("{}: \"sliding_window_pattern\" is 0", fields.where());
  std::vector<int> windows(static_cast<std::size_t>(layers), 0);
  for (int layer = 0; layer < layers; ++layer) {
    if ((layer + 1) % without == 0) continue;
    if (width == 0) fail_without_width(fields, layer);
    windows[static_cast<std::size_t>(layer)] = width;
  }
  return windows;
}

/// Returns each layer's sliding window; 0: none.
std::vector<int> read_windows(const JsonFields& fields, const HfModelType& type, const Config& c) {
  const auto same = [&](int width) { return std::vector<int>(static_cast<std::size_t>(c.layers), width); };
  switch (type.windows) {
    case HfModelType::Windows::none:
      return same(0);
    case HfModelType::Windows::all:
      return same(window_width(fields, type));
    case HfModelType::Windows::some:
      return windows_of_some(fields, type, c);
    case HfModelType::Windows::most:
      return windows_of_most(fields, type, c.layers);
  }
  LB_CHECK(false);
}

void refuse_unsupported(const JsonFields& fields, const HfModelType& type, bool exported) {
  if (fields.find("quantization_config") != nullptr)
    fail("{}: quantised safetensors are not supported; use BF16, F16 or F32 weights, or a GGUF file", fields.where());
  if (!fields.flag("is_causal", true))
    fail("{}: attention to what follows (\"is_causal\": false) is not supported", fields.where());
  if (type.gemma) return;  // for which the key has no meaning
  // swish is another name of silu.
  if (const std::string act = fields.text("hidden_act", "silu");
      act != "silu" && act != "swish" && !(exported && act == "gelu_pytorch_tanh"))
    fail("{}: \"hidden_act\" {} is not supported; silu is", fields.where(), in_quotes(act));
}

void read_multipliers(const JsonFields& fields, Config& c) {
  const auto number = [&](const char* key) { return static_cast<float>(fields.number(key, 1)); };
  c.embedding_scale = number("embedding_multiplier");
  c.residual_scale = number("residual_multiplier");
  c.attention_scale = number("attention_multiplier");
  c.logit_scale = 1 / number("logits_scaling");
  if (c.attention_scale == 0) fail("{}: \"attention_multiplier\" is 0", fields.where());
}

/// What gemma's layers have beside llama's, but for norms, windows and RoPE.
void read_gemma(const JsonFields& fields, const HfModelType& type, Config& c) {
  c.embedding_scale = std::sqrt(static_cast<float>(c.hidden));
  const double scalar = fields.number("query_pre_attn_scalar", 256);
  if (!(scalar > 0)) fail("{}: \"query_pre_attn_scalar\" is {}; it should be positive", fields.where(), scalar);
  c.attention_scale = static_cast<float>(1 / std::sqrt(scalar));
  if (c.attention_scale == 0) fail("{}: \"query_pre_attn_scalar\" {} is too large", fields.where(), scalar);
  c.gate = Gate::gelu_tanh;
  c.norms_plus_one = true;
  if (const std::string act = fields.text("hidden_activation", "gelu_pytorch_tanh"); act != "gelu_pytorch_tanh")
    fail("{}: \"hidden_activation\" {} is not supported; gelu_pytorch_tanh is", fields.where(), in_quotes(act));
  const auto soft_cap = [&](const char* key, float usual) {  // null: none
    const auto cap = static_cast<float>(fields.number(key, fields.has(key) ? 0 : static_cast<double>(usual)));
    if (fields.find(key) != nullptr && !(cap > 0))
      fail("{}: \"{}\" is {}; it should be positive", fields.where(), key, cap);
    return cap;
  };
  if (type.attention_soft_cap > 0) c.attention_soft_cap = soft_cap("attn_logit_softcapping", type.attention_soft_cap);
  // transformers' models of pictures and text have none.
  if (!type.in_text_config) c.logit_soft_cap = soft_cap("final_logit_softcapping", type.logit_soft_cap);
  if (fields.flag("use_bidirectional_attention", false))
    fail("{}: attention to what follows (\"use_bidirectional_attention\") is not supported", fields.where());
}

/// What transformers know by the model's type.
void read_by_type(const JsonFields& fields, const HfModelType& type, Config& c) {
  c.rope = read_hf_rope(fields, c.max_positions, c.head_size, type);
  const bool attention_bias = type.attention_bias && fields.flag("attention_bias", false);
  c.qkv_bias = type.qkv_bias || attention_bias;
  c.o_bias = attention_bias;
  c.mlp_bias = type.mlp_bias && fields.flag("mlp_bias", false);
  c.qk_norm = type.qk_norm;
  c.qk_norm_whole = type.qk_norm_whole;
  c.norms_before = type.norms_before;
  c.norms_after = type.norms_after;
  if (type.multipliers) read_multipliers(fields, c);
  if (type.gemma) read_gemma(fields, type, c);
  if (type.rope_by_layer) c.rope_layers = read_rope_layers(fields, c.layers);
  c.windows = read_windows(fields, type, c);
  if (type.local_rope_base > 0) {
    c.local_rope = read_hf_local_rope(fields, c.max_positions, type);
    for (const int window : c.windows) c.rope_layers.push_back(window > 0 ? LayerRope::local : LayerRope::usual);
  }
}

/// What is said of the part for text.
const SortedJson& text_config(const JsonFields& whole, const HfModelType& type) {
  const SortedJson* const found = whole.find("text_config");
  if (found == nullptr || !found->is_object()) fail("{}: \"text_config\" should be a JSON object", whole.where());
  const std::string own = fmt::format("{}_text", type.name);
  if (const std::string told = JsonFields(*found, whole.where()).text("model_type", own.c_str()); told != own)
    fail("{}: text_config: model type {} is not supported; {} is", whole.where(), in_quotes(told), own);
  return *found;
}

}  // namespace

Config read_hf_config(std::string_view config_json, std::string_view generation_config_json, const std::string& where) {
  const std::string config_name = where + "/config.json";
  const SortedJson json = parse_object(config_json, config_name);
  const JsonFields whole(json, config_name);
  Config c;
  c.arch = whole.text("model_type");
  const bool exported = c.arch == "layerboost";
  const HfModelType* const known = find_hf_model_type(c.arch);
  if (!exported && known == nullptr)
    fail("{}: model type {} is not supported; {} are", config_name, in_quotes(c.arch), hf_model_type_names());
  const HfModelType type = exported ? HfModelType{} : *known;
  refuse_unsupported(whole, type, exported);
  const std::string text_name = type.in_text_config ? config_name + ": text_config" : config_name;
  const JsonFields fields(type.in_text_config ? text_config(whole, type) : json, text_name);
  if (type.in_text_config) refuse_unsupported(fields, type, exported);
  const auto size = [&](const char* key, int usual) {
    return usual > 0 ? fields.integer(key, usual) : fields.integer(key);
  };
  c.layers = size("num_hidden_layers", type.layers);
  if (c.layers < 1 || c.layers > max_layers)
    fail("{}: \"num_hidden_layers\" is {}; it should be 1 to {}", config_name, c.layers, max_layers);
  c.hidden = size("hidden_size", type.hidden);
  c.heads = size("num_attention_heads", type.heads);
  if (c.heads < 1) fail("{}: \"num_attention_heads\" is 0", config_name);
  const bool its_kv_heads = type.kv_heads > 0 && !fields.has("num_key_value_heads");
  c.kv_heads = fields.integer("num_key_value_heads", its_kv_heads ? type.kv_heads : c.heads);
  const int head_size = type.head_size > 0 && !fields.has("head_dim") ? type.head_size : c.hidden / c.heads;
  c.head_size = fields.integer("head_dim", head_size);
  c.ffn = size("intermediate_size", type.ffn);
  c.vocab = size("vocab_size", type.vocab);
  c.max_positions = fields.integer("max_position_embeddings", type.positions);
  c.norm_eps = static_cast<float>(fields.number("rms_norm_eps", type.norm_eps));
  // transformers leaves the key out where it has the value of all its configs, true; llama and its like have their own.
  c.tied_embeddings = whole.flag("tie_word_embeddings", exported || type.tied);
  if (exported)
    read_exported_config(fields, c);
  else
    read_by_type(fields, type, c);
  add_end_tokens(whole, c.eos);
  if (type.in_text_config) add_end_tokens(fields, c.eos);
  if (!generation_config_json.empty()) {
    const std::string name = where + "/generation_config.json";
    const SortedJson generation = parse_object(generation_config_json, name);
    const JsonFields generation_fields(generation, name);
    add_end_tokens(generation_fields, c.eos);
    c.sampling = read_sampling_defaults(generation_fields);
  }
  check_config(c, config_name);
  return c;
}

}  // namespace layerboost
