#include "app/model_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "mixer/mixers.h"

namespace layerboost {

ParameterCounts count_parameters(const Config& config) {
  ParameterCounts counts;
  const auto D = static_cast<std::int64_t>(config.hidden);
  for (int layer = 0; layer < config.layers; ++layer)
    if (config.attention_of(layer) == AttentionParts::all)
      counts.attention += D * (2 * config.q_size() + 2 * config.kv_size());
  counts.mlps = config.layers * D * 3 * config.ffn;
  counts.embeddings = D * config.vocab * (config.tied_embeddings ? 1 : 2);
  return counts;
}

std::vector<MixerSpec> unchanged_specs(Config config) {
  config.attention.clear();
  if (!config.base_windows.empty()) config.windows = config.base_windows;
  return native_specs(config);
}

std::string OwnWindows::text(int all_layers) const {
  std::string runs;
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t end = i + 1;
    while (end < layers.size() && layers[end] == layers[end - 1] + 1) ++end;
    runs += fmt::format("{}{}", runs.empty() ? "" : ", ", layers[i]);
    if (end > i + 1) runs += fmt::format("-{}", layers[end - 1]);
    i = end;
  }
  std::string where =
      fmt::format("{} in {} of {} layers ({}), the model's own", longest, layers.size(), all_layers, runs);
  if (std::ssize(layers) == all_layers) return where;
  return where + fmt::format("; left to gain: the others, {:.1f} % of keys and values", others * 100);
}

OwnWindows own_windows(const Config& config, int length) {
  OwnWindows own;
  std::vector<MixerSpec> others = unchanged_specs(config);
  const double all = cache_bytes(config, others, length);
  for (std::size_t layer = config.windows.size(); layer-- > 0;) {
    if (config.windows[layer] == 0) continue;
    own.layers.insert(own.layers.begin(), static_cast<int>(layer));
    own.longest = std::max(own.longest, config.windows[layer]);
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(layer));
  }
  own.others = cache_bytes(config, others, length) / all;
  return own;
}

double cache_bytes(const Config& config, const std::vector<MixerSpec>& specs, int length) {
  constexpr std::size_t element = 2;
  double sum = 0;
  for (const MixerSpec& spec : specs) sum += static_cast<double>(kv_bytes(config, spec, length, element));
  return sum;
}

}  // namespace layerboost
