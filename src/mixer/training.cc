#include "mixer/training.h"

#include "base/error.h"
#include "mixer/attention_core.h"
#include "mixer/gated_core.h"
#include "mixer/hybrid_core.h"
#include "mixer/mixers.h"

namespace layerboost {

std::unique_ptr<MixerCore> make_core(const Model& model, int layer, const MixerSpec& spec,
                                     const MixerParameters& parameters) {
  const auto own = [&] { return parameters_for(model.config, layer, spec.kind, parameters); };
  switch (spec.kind) {
    case MixerKind::softmax:
    case MixerKind::window:
      return std::make_unique<AttentionCore>(model.config, model.precision, spec);
    case MixerKind::hybrid:
      return std::make_unique<HybridCore>(model.config, model.precision, spec, own());
    case MixerKind::gated:
      return std::make_unique<GatedCore>(model.config, model.precision, spec, own());
    case MixerKind::map:
    case MixerKind::none:
      break;
  }
  LB_CHECK(false);
}

}  // namespace layerboost
