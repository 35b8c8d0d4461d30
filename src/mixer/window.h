// Softmax over a sliding window with sinks: LayerBoost's middle tier (research/layerboost 3.3).
#pragma once

#include "mixer/attention_block.h"

namespace layerboost {

/// o_i = sum over j in W_i of softmax_j(q_i . k_j / sqrt(d)) v_j,  W_i = { j : 0 <= i - j < w } and { j < s }, each
/// position once, RoPE at true positions. The cache: a block of s sinks (positions 0 .. s-1) and a ring of w (position
/// p >= s in slot (p - s) mod w).
class WindowMixer final : public Mixer {
 public:
  /// `model` must outlive the mixer.
  WindowMixer(const Model& model, int layer, const MixerSpec& spec);

  [[nodiscard]] const MixerSpec& spec() const override { return spec_; }
  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int length) const override;

 private:
  void prepare(LayerCache& cache) const;
  void store_sinks(const MixerSpan& span, const Projected& projected) const;
  void store_ring(const MixerSpan& span, const Projected& projected) const;
  [[nodiscard]] std::byte* sinks(const LayerCache& cache) const { return cache.blocks.back().get(); }
  [[nodiscard]] std::byte* ring(const LayerCache& cache) const { return cache.blocks.front().get(); }

  MixerSpec spec_;
  AttentionBlock block_;
  KvLayout ring_layout_, sink_layout_, page_layout_;
};

}  // namespace layerboost
