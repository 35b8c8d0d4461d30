// A token-wise linear map in place of attention (Neural Block Linearization): y = W x + b on the normalised input; no
// cache.
#pragma once

#include <span>
#include <vector>

#include "model/mixer.h"
#include "model/model.h"

namespace layerboost {

class MapMixer final : public Mixer {
 public:
  /// `model` must outlive the mixer. `parameters`: weight [D, D] and bias [D] (see parameter_shapes()), from a
  /// closed-form ridge regression of the attention branch's output on the normalised input; packed in the model's
  /// precision.
  MapMixer(const Model& model, int layer, std::span<const float> parameters);

  [[nodiscard]] const MixerSpec& spec() const override { return spec_; }
  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int /*length*/) const override { return 0; }
  void reserve(LayerCache& /*cache*/, int /*length*/) const override {}

 private:
  MixerSpec spec_{MixerKind::map, 0, 0};
  const Model& model_;
  const LayerWeights& weights_;
  PackedMatrix matrix_;      // [D, D]
  std::vector<float> bias_;  // [D]
};

}  // namespace layerboost
