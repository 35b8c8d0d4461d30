// Full causal softmax attention: the pretrained model's own mixer.
#pragma once

#include "mixer/cached_attention.h"
#include "mixer/page_cache.h"

namespace layerboost {

/// o_i = sum over j <= i of softmax_j(q_i . k_j / sqrt(d)) v_j.
class SoftmaxMixer final : public CachedAttention<PageCache> {
 public:
  explicit SoftmaxMixer(const MixerPlace& place) : CachedAttention(full_attention, place) {}
};

extern const MixerDescriptor softmax_descriptor;

}  // namespace layerboost
