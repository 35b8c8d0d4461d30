// No mixer: the layer's attention is gone, with its norm, projections, cache and work. h <- h.
#pragma once

#include "model/mixer.h"

namespace layerboost {

/// (LayerBoost's removed layers; reading A of "identity": the sub-block adds nothing.)
class NoMixer final : public Mixer {
 public:
  [[nodiscard]] const MixerSpec& spec() const override { return spec_; }
  void forward(const MixerRows& /*rows*/, Workspace& /*workspace*/) const override {}
  [[nodiscard]] std::size_t cache_bytes(int /*length*/) const override { return 0; }
  void reserve(LayerCache& /*cache*/, int /*length*/) const override {}

 private:
  MixerSpec spec_{MixerKind::none, 0, 0};
};

}  // namespace layerboost
