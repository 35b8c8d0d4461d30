// A token-wise linear map in place of attention (Neural Block Linearization): y = W x + b on the normalised input; no
// cache.
#pragma once

#include <span>
#include <vector>

#include "mixer/described_mixer.h"
#include "model/model.h"

namespace layerboost {

class MapMixer final : public DescribedMixer {
 public:
  /// `parameters`: weight [D, D] ([out, in]) and bias [D], from a closed-form ridge regression of the attention
  /// branch's output on the normalised input; packed in the model's precision.
  MapMixer(const MixerPlace& place, std::span<const float> parameters);

  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int /*length*/) const override { return 0; }
  void reserve(LayerCache& /*cache*/, int /*length*/) const override {}

 private:
  const Model& model_;
  const LayerWeights& weights_;
  PackedMatrix matrix_;      // [D, D]
  std::vector<float> bias_;  // [D]
};

extern const MixerDescriptor map_descriptor;

}  // namespace layerboost
