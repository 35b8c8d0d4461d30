// Full causal softmax attention: the pretrained model's own mixer.
#pragma once

#include "mixer/described_mixer.h"
#include "mixer/page_cache.h"

namespace layerboost {

/// o_i = sum over j <= i of softmax_j(q_i . k_j / sqrt(d)) v_j. The cache: see PageCache.
class SoftmaxMixer final : public DescribedMixer {
 public:
  explicit SoftmaxMixer(const MixerPlace& place)
      : DescribedMixer(full_attention, place.model.config.kv_heads), block_(place), cache_(block_) {}

  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int length) const override { return cache_.bytes(length); }
  void reserve(LayerCache& cache, int length) const override { cache_.reserve(cache, length); }
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& cache, int length) const override {
    return cache_.bytes_to_copy(cache, length);
  }
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                int head) const override {
    return cache_.place_of(cache, length, position, head);
  }

 private:
  AttentionBlock block_;
  PageCache cache_;
};

extern const MixerDescriptor softmax_descriptor;

}  // namespace layerboost
