// No mixer: the layer's attention is gone, with its norm, projections, cache and work. h <- h.
#pragma once

#include "mixer/described_mixer.h"

namespace layerboost {

/// The mixer of the layers whose attention LayerBoost removes. The paper calls it "identity", which is taken to mean
/// that the sub-block adds nothing to the hidden states.
class NoMixer final : public DescribedMixer {
 public:
  explicit NoMixer(const MixerPlace& place) : DescribedMixer(no_mixer, place.model.config) {}

  void forward(const MixerRows& /*rows*/, Workspace& /*workspace*/) const override {}
  [[nodiscard]] std::size_t cache_bytes(int /*length*/) const override { return 0; }
  void reserve(LayerCache& /*cache*/, int /*length*/) const override {}
};

extern const MixerDescriptor none_descriptor;

}  // namespace layerboost
