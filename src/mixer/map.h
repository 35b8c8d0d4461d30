// A token-wise linear map in place of attention (Neural Block Linearization): y = W x + b on the normalised input; no
// cache.
#pragma once

#include <map>
#include <vector>

#include "model/mixer.h"
#include "model/model.h"

namespace layerboost {

/// The parameters of one layer's map, from a closed-form ridge regression of the attention branch's output on the
/// normalised input.
struct LayerMap {
  std::vector<float> weight;  // [D, D], row-major [out, in]
  std::vector<float> bias;    // [D]
};
/// By layer.
using LayerMaps = std::map<int, LayerMap>;

class MapMixer final : public Mixer {
 public:
  /// `model` must outlive the mixer; `map` is packed in the model's precision.
  MapMixer(const Model& model, int layer, const LayerMap& map);

  [[nodiscard]] const MixerSpec& spec() const override { return spec_; }
  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int /*length*/) const override { return 0; }

 private:
  MixerSpec spec_{MixerKind::map, 0, 0};
  const Model& model_;
  const LayerWeights& weights_;
  PackedMatrix matrix_;      // [D, D]
  std::vector<float> bias_;  // [D]
};

}  // namespace layerboost
