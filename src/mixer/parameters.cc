#include "mixer/parameters.h"

#include <functional>
#include <numeric>

#include "base/error.h"
#include "mixer/descriptor.h"

namespace layerboost {

std::size_t ParameterShape::count() const {
  return static_cast<std::size_t>(std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
}

std::vector<ParameterShape> parameter_shapes(const Config& config, const MixerSpec& spec) {
  const auto shapes = descriptor_of(spec.kind).parameter_shapes;
  return shapes == nullptr ? std::vector<ParameterShape>() : shapes(config, spec);
}

std::size_t parameter_count(const Config& config, const MixerSpec& spec) {
  std::size_t count = 0;
  for (const ParameterShape& shape : parameter_shapes(config, spec)) count += shape.count();
  return count;
}

std::vector<float> initial_parameters(const Config& config, const MixerSpec& spec) {
  const MixerDescriptor& descriptor = descriptor_of(spec.kind);
  LB_CHECK(!descriptor.fitted_map);
  return descriptor.initial_parameters == nullptr ? std::vector<float>() : descriptor.initial_parameters(config, spec);
}

std::vector<float> parameters_for(const Config& config, int layer, const MixerSpec& spec,
                                  const MixerParameters& given) {
  const auto found = given.find({layer, spec.kind});
  if (found != given.end()) return found->second;
  if (descriptor_of(spec.kind).fitted_map)
    fail("layer {} is to use a {}, but there are no parameters of one", layer, name_of(spec.kind));
  return initial_parameters(config, spec);
}

}  // namespace layerboost
