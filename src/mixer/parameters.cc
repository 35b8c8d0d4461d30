#include "mixer/parameters.h"

#include <functional>
#include <numeric>

#include "base/error.h"
#include "mixer/descriptor.h"

namespace layerboost {

std::size_t ParameterShape::count() const {
  return static_cast<std::size_t>(std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

std::vector<ParameterShape> parameter_shapes(const Config& config, MixerKind kind) {
  const auto shapes = descriptor_of(kind).parameter_shapes;
  return shapes == nullptr ? std::vector<ParameterShape>() : shapes(config);
}

std::size_t parameter_count(const Config& config, MixerKind kind) {
  std::size_t count = 0;
  for (const ParameterShape& shape : parameter_shapes(config, kind)) count += shape.count();
  return count;
}

std::vector<float> initial_parameters(const Config& config, MixerKind kind) {
  const MixerDescriptor& descriptor = descriptor_of(kind);
  LB_CHECK(!descriptor.fitted_map);
  return descriptor.initial_parameters == nullptr ? std::vector<float>() : descriptor.initial_parameters(config);
}

std::vector<float> parameters_for(const Config& config, int layer, MixerKind kind, const MixerParameters& given) {
  const auto found = given.find({layer, kind});
  if (found != given.end()) return found->second;
  if (descriptor_of(kind).fitted_map)
    fail("layer {} is to use a {}, but there are no parameters of one", layer, name_of(kind));
  return initial_parameters(config, kind);
}

}  // namespace layerboost
