// The parameters that mixers have of their own: a map's matrix, feature maps, gates. One store for all kinds.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mixer/spec.h"
#include "model/config.h"

namespace layerboost {

/// The parameters of mixers, by layer and kind: flat, the tensors of parameter_shapes() one after another.
using MixerParameters = std::map<std::pair<int, MixerKind>, std::vector<float>>;

/// One tensor among a mixer's parameters.
struct ParameterShape {
  std::string name;  // such as "q_features"
  std::vector<std::int64_t> shape;

  [[nodiscard]] std::size_t count() const;
};

/// The tensors of one layer's mixer, as its kind's descriptor has them; none for kinds without parameters.
std::vector<ParameterShape> parameter_shapes(const Config& config, const MixerSpec& spec);

/// How many numbers all of them have together.
std::size_t parameter_count(const Config& config, const MixerSpec& spec);

/// What a layer starts with before anything is learned. Empty for kinds without parameters.
/// Requires: the kind's parameters aren't a fitted map.
std::vector<float> initial_parameters(const Config& config, const MixerSpec& spec);

/// The parameters of a layer's mixer: those given, or initial ones. Throws Error for a fitted map that isn't given.
std::vector<float> parameters_for(const Config& config, int layer, const MixerSpec& spec, const MixerParameters& given);

}  // namespace layerboost
