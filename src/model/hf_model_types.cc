#include "model/hf_model_types.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "model/tensor_names.h"

namespace layerboost {
namespace {

using Windows = HfModelType::Windows;

constexpr HfModelType gemma3_text = {.name = "gemma3_text",
                                     .layers = 26,
                                     .hidden = 2304,
                                     .heads = 8,
                                     .ffn = 9216,
                                     .vocab = 262208,
                                     .positions = 131072,
                                     .rope_base = 1000000,
                                     .local_rope_base = 10000,
                                     .tied = true,
                                     .kv_heads = 4,
                                     .head_size = 256,
                                     .windows = Windows::most,
                                     .window = 4096,
                                     .full_every = 6,
                                     .full_every_is_told = true,
                                     .attention_bias = true,
                                     .qk_norm = true,
                                     .norms_after = true,
                                     .gemma = true};

/// The type of a model of pictures and text whose part for text is of another type.
constexpr HfModelType with_vision(const char* name, HfModelType text) {
  text.name = name;
  text.in_text_config = true;
  return text;
}

constexpr std::array model_types = {
    HfModelType{.name = "gemma2",
                .positions = 8192,
                .tied = true,
                .kv_heads = 4,
                .head_size = 256,
                .windows = Windows::most,
                .window = 4096,
                .full_every = 2,
                .attention_bias = true,
                .norms_after = true,
                .gemma = true,
                .attention_soft_cap = 50,
                .logit_soft_cap = 30},
    with_vision("gemma3", gemma3_text),
    gemma3_text,
    HfModelType{.name = "granite", .attention_bias = true, .mlp_bias = true, .multipliers = true},
    HfModelType{.name = "llama", .attention_bias = true, .mlp_bias = true},
    HfModelType{.name = "mistral", .positions = 131072, .windows = Windows::all, .window = 4096},
    HfModelType{.name = "olmo2",
                .norm_eps = 1e-5,
                .attention_bias = true,
                .qk_norm = true,
                .qk_norm_whole = true,
                .norms_before = false,
                .norms_after = true},
    HfModelType{.name = "phi3",
                .positions = 4096,
                .trained_positions = 4096,
                .partial_rope = true,
                .only_longrope = true,
                .norm_eps = 1e-5,
                .windows = Windows::all},
    HfModelType{.name = "qwen2", .positions = 32768, .windows = Windows::some, .window = 4096, .qkv_bias = true},
    HfModelType{.name = "qwen3",
                .positions = 32768,
                .head_size = 128,
                .windows = Windows::some,
                .window = 4096,
                .attention_bias = true,
                .qk_norm = true},
    HfModelType{.name = "smollm3",
                .positions = 32768,
                .rope_base = 2000000,
                .rope_by_layer = true,
                .tied = true,
                .kv_heads = 4,
                .windows = Windows::some,
                .attention_bias = true,
                .mlp_bias = true},
};

}  // namespace

std::optional<std::string> name_in_language_model(const HfModelType& type, const std::string& name) {
  if (!type.in_text_config || name == "lm_head.weight") return name;
  // As transformers write them now, and as they did before.
  for (const std::string_view prefix : {"model.language_model.", "language_model."})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return std::nullopt;
}

std::string name_in_llama(const HfModelType& type, const std::string& name) {
  if (!type.norms_after || !name.ends_with("norm.weight")) return name;
  const std::pair<std::string_view, LayerPart> modules[] = {
      {".post_attention_layernorm.", LayerPart::mixer_output_norm},
      {".pre_feedforward_layernorm.", LayerPart::mlp_norm},
      {".post_feedforward_layernorm.", LayerPart::mlp_output_norm},
  };
  for (const auto& [module, part] : modules) {
    if (const auto at = name.find(module); at != std::string::npos)
      return fmt::format("{}.{}.{}", name.substr(0, at), name_of(part), name.substr(at + module.size()));
  }
  return name;
}

const HfModelType* find_hf_model_type(std::string_view name) {
  const auto* const found =
      std::find_if(model_types.begin(), model_types.end(), [&](const HfModelType& type) { return type.name == name; });
  return found == model_types.end() ? nullptr : found;
}

std::string hf_model_type_names() {
  std::string names;
  for (std::size_t i = 0; i < model_types.size(); ++i) {
    if (i > 0) names += i + 1 < model_types.size() ? ", " : " and ";
    names += model_types[i].name;
  }
  return names;
}

}  // namespace layerboost
