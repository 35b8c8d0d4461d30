// No mixer: the layer's attention is gone, with its norm, projections, cache and work. h <- h.
#pragma once

#include "mixer/described_mixer.h"

namespace layerboost {

/// (LayerBoost's removed layers; reading A of "identity": the sub-block adds nothing.)
class NoMixer final : public DescribedMixer {
 public:
  NoMixer() : DescribedMixer(no_mixer, 0) {}

  void forward(const MixerRows& /*rows*/, Workspace& /*workspace*/) const override {}
  [[nodiscard]] std::size_t cache_bytes(int /*length*/) const override { return 0; }
  void reserve(LayerCache& /*cache*/, int /*length*/) const override {}
};

extern const MixerDescriptor none_descriptor;

}  // namespace layerboost
