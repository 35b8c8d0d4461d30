#include "mixer/training.h"

#include "base/error.h"
#include "mixer/attention_core.h"

namespace layerboost {

std::unique_ptr<MixerCore> make_core(const Model& model, int /*layer*/, const MixerSpec& spec,
                                     const MixerParameters& /*parameters*/) {
  switch (spec.kind) {
    case MixerKind::softmax:
    case MixerKind::window:
      return std::make_unique<AttentionCore>(model.config, model.precision, spec);
    case MixerKind::hybrid:
    case MixerKind::gated:
    case MixerKind::map:
    case MixerKind::none:
      break;
  }
  LB_CHECK(false);
}

}  // namespace layerboost
