// Softmax over a sliding window with sinks: LayerBoost's middle tier.
#pragma once

#include "mixer/described_mixer.h"
#include "mixer/window_cache.h"

namespace layerboost {

/// o_i = sum over j in W_i of softmax_j(q_i . k_j / sqrt(d)) v_j,  W_i = { j : 0 <= i - j < w } and { j < s }, each
/// position once, RoPE at true positions; in KV heads of spec.full, W_i = { j : j <= i }. The cache: see WindowCache.
class WindowMixer final : public DescribedMixer {
 public:
  WindowMixer(const MixerPlace& place, const MixerSpec& spec)
      : DescribedMixer(spec, place.model.config.kv_heads),
        block_(place),
        cache_(block_, spec.window, spec.sinks, 0, spec.full) {}

  void forward(const MixerRows& rows, Workspace& workspace) const override {
    const Projected projected = block_.project(rows, workspace);
    cache_.attend(rows, projected, workspace.scratch);
    block_.add_output(rows, projected, workspace);
  }
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
  WindowCache cache_;
};

extern const MixerDescriptor window_descriptor;

}  // namespace layerboost
