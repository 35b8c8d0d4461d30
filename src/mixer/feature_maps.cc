#include "mixer/feature_maps.h"

namespace layerboost {

int feature_map_size(const Config& config) { return config.head_size / 2; }

std::vector<ParameterShape> feature_shapes(const Config& config) {
  const std::vector<std::int64_t> shape = {config.heads, config.head_size, feature_map_size(config)};
  return {{"q_features", shape}, {"k_features", shape}};
}

std::vector<float> initial_features(const Config& config) {
  const int f = feature_map_size(config);
  std::vector<float> values;
  for (int head = 0; head < 2 * config.heads; ++head)
    for (int row = 0; row < config.head_size; ++row)
      for (int column = 0; column < f; ++column) values.push_back(row == column ? 1.0F : 0.0F);
  return values;
}

std::size_t feature_state_bytes(const Config& config) {
  return sizeof(float) * static_cast<std::size_t>(config.heads * (config.head_size + 1)) * 2 *
         static_cast<std::size_t>(feature_map_size(config));
}

}  // namespace layerboost
