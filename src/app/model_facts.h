// What a model's shape alone tells, without its weights: how many of these it has, and what a sequence keeps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mixer/spec.h"
#include "model/config.h"

namespace layerboost {

/// Numbers of a model's weights, but for norms and biases.
struct ParameterCounts {
  std::int64_t attention = 0;   // of the layers that have it
  std::int64_t mlps = 0;        // of all layers
  std::int64_t embeddings = 0;  // and the head's, where it has weights of its own

  [[nodiscard]] std::int64_t all() const { return attention + mlps + embeddings; }
};

ParameterCounts count_parameters(const Config& config);

/// The mixers of the model before anything was left out of an exported one; else its own. [L]
std::vector<MixerSpec> unchanged_specs(Config config);

/// The sliding windows that a model itself has, before any plan.
struct OwnWindows {
  std::vector<int> layers;  // that have one
  int longest = 0;          // positions
  double others = 0;        // the share of a sequence's keys and values that the other layers keep

  /// "4096 in 3 of 6 layers (0, 2-3), the model's own; left to gain: the others, 75.0 % of keys and values"
  [[nodiscard]] std::string text(int all_layers) const;
};

/// For a sequence of `length` positions.
OwnWindows own_windows(const Config& config, int length);

/// Bytes that a sequence of `length` positions keeps under the plan `specs` [L], numbers of 16 bits.
double cache_bytes(const Config& config, const std::vector<MixerSpec>& specs, int length);

}  // namespace layerboost
