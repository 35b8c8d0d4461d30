// The parameters that mixers have of their own: a map's matrix, feature maps, gates. One store for all kinds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/mixer.h"

namespace layerboost {

/// By layer and kind, flat: the tensors of parameter_shapes() one after another.
using MixerParameters = std::map<std::pair<int, MixerKind>, std::vector<float>>;

struct ParameterShape {
  std::string name;  // such as "q_features"
  std::vector<std::int64_t> shape;

  [[nodiscard]] std::size_t count() const;
};

/// The tensors of one layer's mixer of this kind; none for kinds without parameters. With f = feature_map_size():
///   map:    weight [D, D] ([out, in]), bias [D]
///   hybrid: q_features [H, d, f], k_features [H, d, f], window_weight [H]
///   gated:  q_features [H, d, f], k_features [H, d, f], gate [H, D], gate_bias [H], sink_logits [H, 4],
///           linear_scale [H], window_scale [H]
std::vector<ParameterShape> parameter_shapes(const Config& config, MixerKind kind);

/// Numbers in all of them.
std::size_t parameter_count(const Config& config, MixerKind kind);

/// f: a head's features are [softmax(x W), softmax(-x W)] with W [d, f]: 2 f = d of them.
int feature_map_size(const Config& config);

/// Sink logits of a head of kind gated.
inline constexpr int gated_sink_logits = 4;

/// What a layer starts with before anything is learned: nearly the window alone. Empty for kinds without parameters; a
/// map has no such values: LB_CHECK.
std::vector<float> initial_parameters(const Config& config, MixerKind kind);

}  // namespace layerboost
