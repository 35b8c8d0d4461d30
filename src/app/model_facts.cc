#include "app/model_facts.h"

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
  return native_specs(config);
}

double cache_bytes(const Config& config, const std::vector<MixerSpec>& specs, int length) {
  constexpr std::size_t element = 2;
  double sum = 0;
  for (const MixerSpec& spec : specs) sum += static_cast<double>(kv_bytes(config, spec, length, element));
  return sum;
}

}  // namespace layerboost
