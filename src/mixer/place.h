// Where a mixer works: a layer of a model, with the projections that it uses there.
#pragma once

#include "kernels/kv_segment.h"
#include "model/model.h"

namespace layerboost {

/// The layer that a serving mixer is made for.
struct MixerPlace {
  const Model& model;  // Requires: it outlives the mixer
  int layer;
  KvType kv = KvType::bf16;             // see AttentionBlock
  const OwnProjections* own = nullptr;  // in place of the layer's, where it has some. Requires: it outlives the mixer

  [[nodiscard]] const LayerWeights& weights() const { return model.weights.layers[static_cast<std::size_t>(layer)]; }
};

/// Views of the projections that a mixer uses: its own, where it has some, or the layer's.
struct Projections {
  explicit Projections(const MixerPlace& place)
      : qkv(place.own != nullptr && place.own->qkv ? place.own->qkv : place.weights().qkv),
        o(place.own != nullptr && place.own->o ? place.own->o : place.weights().o) {}

  const PackedMatrix& qkv;  // [(H + 2G) d, D]
  const PackedMatrix& o;    // [D, H d]
};

}  // namespace layerboost
