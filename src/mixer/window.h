// Softmax over a sliding window with sinks: LayerBoost's middle tier.
#pragma once

#include "mixer/cached_attention.h"
#include "mixer/window_cache.h"

namespace layerboost {

/// o_i = sum over j in W_i of softmax_j(a q_i . k_j) v_j,  W_i = { j : 0 <= i - j < w } and { j < s }, each position
/// once, a = Config::score_scale(), RoPE (where the layer has it) at true positions; in KV heads of spec.full,
/// W_i = { j : j <= i }.
class WindowMixer final : public CachedAttention<WindowCache> {
 public:
  WindowMixer(const MixerPlace& place, const MixerSpec& spec)
      : CachedAttention(spec, place, spec.window, spec.sinks, std::size_t{0}, spec.full) {}
};

extern const MixerDescriptor window_descriptor;

}  // namespace layerboost
