// Full causal softmax attention: the pretrained model's own mixer.
#pragma once

#include "mixer/cached_attention.h"
#include "mixer/page_cache.h"

namespace layerboost {

/// o_i = sum over j <= i of softmax_j(a q_i . k_j) v_j, a = Config::score_scale().
class SoftmaxMixer final : public CachedAttention<PageCache> {
 public:
  explicit SoftmaxMixer(const MixerPlace& place) : CachedAttention(full_attention, place) {}
};

extern const MixerDescriptor softmax_descriptor;

}  // namespace layerboost
