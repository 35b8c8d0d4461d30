// Softmax over a sliding window with sinks: LayerBoost's middle tier (research/layerboost 3.3).
#pragma once

#include "mixer/attention_block.h"

namespace layerboost {

/// o_i = sum over j in W_i of softmax_j(q_i . k_j / sqrt(d)) v_j,  W_i = { j : 0 <= i - j < w } and { j < s }, each
/// position once, RoPE at true positions. The cache: a block of s sinks (positions 0 .. s-1) and a ring of w (position
/// p >= s in slot (p - s) mod w) in pages of 64 slots, allocated as the text reaches them.
class WindowMixer final : public Mixer {
 public:
  /// `model` must outlive the mixer.
  WindowMixer(const Model& model, int layer, const MixerSpec& spec);

  [[nodiscard]] const MixerSpec& spec() const override { return spec_; }
  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int length) const override;

 private:
  void prepare(const MixerSpan& span) const;
  void store_sinks(const MixerSpan& span, const Projected& projected) const;
  void store_ring(const MixerSpan& span, const Projected& projected) const;
  /// The ring when it holds positions up to `end`, for the queries of a span.
  void add_ring(const LayerCache& cache, int end, bool one_query, std::vector<KvSegment>& segments,
                std::vector<std::int32_t>& positions) const;

  [[nodiscard]] int ring_pages(int end) const;
  [[nodiscard]] KvLayout page_layout(int page) const;
  [[nodiscard]] static std::byte* sinks(const LayerCache& cache) { return cache.blocks.front().get(); }
  [[nodiscard]] std::size_t first_page() const { return spec_.sinks > 0 ? 1 : 0; }

  MixerSpec spec_;
  AttentionBlock block_;
  KvLayout sink_layout_, chunk_layout_;
};

}  // namespace layerboost
