#include "mixer/training.h"

#include "base/error.h"
#include "mixer/descriptor.h"

namespace layerboost {

std::unique_ptr<MixerCore> make_core(const Model& model, int layer, const MixerSpec& spec,
                                     const MixerParameters& parameters) {
  const auto make = descriptor_of(spec.kind).make_core;
  LB_CHECK(make != nullptr);
  return make(model, spec, parameters_for(model.config, layer, spec, parameters));
}

}  // namespace layerboost
