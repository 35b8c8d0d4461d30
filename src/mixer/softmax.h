// Full causal softmax attention: the pretrained model's own mixer.
#pragma once

#include "mixer/attention_block.h"
#include "mixer/described_mixer.h"

namespace layerboost {

/// o_i = sum over j <= i of softmax_j(q_i . k_j / sqrt(d)) v_j. The cache is pages of 64 positions.
class SoftmaxMixer final : public DescribedMixer {
 public:
  explicit SoftmaxMixer(const MixerPlace& place) : DescribedMixer(full_attention), block_(place) {}

  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int length) const override;
  void reserve(LayerCache& cache, int length) const override;
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position) const override;

 private:
  AttentionBlock block_;
};

extern const MixerDescriptor softmax_descriptor;

}  // namespace layerboost
