// No mixer: the layer's attention is gone, with its norm, projections, cache and work. h <- h.
#pragma once

#include "mixer/described_mixer.h"

namespace layerboost {

/// (LayerBoost's removed layers; reading A of "identity": the sub-block adds nothing.)
class NoMixer final : public DescribedMixer {
 public:
  NoMixer() : DescribedMixer(no_mixer) {}

  void forward(const MixerRows& /*rows*/, Workspace& /*workspace*/) const override {}
  [[nodiscard]] std::size_t cache_bytes(int /*length*/) const override { return 0; }
  void reserve(LayerCache& /*cache*/, int /*length*/) const override {}
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& /*cache*/, int /*length*/,
                                                int /*position*/) const override {
    return {};
  }
  [[nodiscard]] bool fold(const Mixer& /*from*/, const LayerCache& /*cache*/, int /*length*/,
                          LayerCache& /*to*/) const override {
    return true;
  }
};

extern const MixerDescriptor none_descriptor;

}  // namespace layerboost
