// What the kinds with a linear state share: maps from queries and keys to features, and the state's size.
#pragma once

#include <cstddef>
#include <vector>

#include "mixer/parameters.h"
#include "model/config.h"

namespace layerboost {

/// f: a head's features are [softmax(x W), softmax(-x W)] with W [d, f]: 2 f = d of them.
int feature_map_size(const Config& config);

/// The tensors that both maps are: q_features and k_features [H, d, f].
std::vector<ParameterShape> feature_shapes(const Config& config);

/// What both start with: each feature looks at one number of the head (the d x f identity).
std::vector<float> initial_features(const Config& config);

/// Bytes of the states of all heads: for each, 2 f features by d values and a total, f32.
std::size_t feature_state_bytes(const Config& config);

}  // namespace layerboost
