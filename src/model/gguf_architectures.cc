#include "model/gguf_architectures.h"

#include <algorithm>
#include <array>

namespace layerboost {
namespace {

constexpr std::array architectures = {
    GgufArchitecture{.name = "llama", .interleaved = true},
    GgufArchitecture{.name = "gemma2",
                     .norms_after = true,
                     .gemma = true,
                     .scaled_by_width = 46,
                     .window = 4096,
                     .full_every = 2,
                     .attention_soft_cap = 50,
                     .logit_soft_cap = 30},
    GgufArchitecture{.name = "gemma3",
                     .norms_after = true,
                     .gemma = true,
                     .scaled_by_width = 62,
                     .full_every = 6,
                     .local_rope_base = 10000},
    GgufArchitecture{.name = "granite", .interleaved = true, .scales = true, .finetuned_is_rope = true},
    GgufArchitecture{.name = "olmo2", .norms_before = false, .norms_after = true, .qk_norm_whole = true},
    GgufArchitecture{.name = "phi3", .tokens_take_space = true, .fused_up = true, .partial_rope = true},
    GgufArchitecture{.name = "qwen2"},
    GgufArchitecture{.name = "qwen3"},
    GgufArchitecture{.name = "smollm3", .interleaved = true, .without_rope = 4},
};

}  // namespace

const GgufArchitecture* find_gguf_architecture(std::string_view name) {
  const auto* const found = std::find_if(architectures.begin(), architectures.end(),
                                         [&](const GgufArchitecture& known) { return known.name == name; });
  return found == architectures.end() ? nullptr : found;
}

std::string gguf_architecture_names() {
  std::string names;
  for (std::size_t i = 0; i < architectures.size(); ++i) {
    if (i > 0) names += i + 1 < architectures.size() ? ", " : " and ";
    names += architectures[i].name;
    if (i == 0) names += " (and mistral)";
  }
  return names;
}

}  // namespace layerboost
