// A softmax window and a linear state of what lies behind it (LoLCATs; docs/mixers.md).
#pragma once

#include <span>
#include <vector>

#include "kernels/linear_attention.h"
#include "mixer/described_mixer.h"
#include "mixer/window_cache.h"

namespace layerboost {

/// With P_i = { j : 0 <= i - j < w } and { j < s }, Q_i = the positions before it that aren't in P_i,
/// s_ij = q_i . k_j times Config::score_scale(), c_i = max over P_i of s_ij, phi the features of
/// kernels/linear_attention.h after RoPE:
///   o_i = (r W_i o^window_i + sum_{Q_i} (phi_q(q_i) . phi_k(k_j)) v_j) / (r W_i + sum_{Q_i} phi_q(q_i) . phi_k(k_j))
/// where o^window_i is softmax attention over P_i, W_i = sum_{P_i} e^(s_ij - c_i), r = e^window_weight per head: the
/// ratio gamma / lambda of LoLCATs, which has gamma = sigmoid(a) and lambda = 1, or 1 - gamma (then window_weight = a).
/// Features are per query head, also where heads share keys.
/// The cache: a state of fixed size (H times linear_state_floats(), f32, there once the sequence is longer than w + s),
/// then a WindowCache. A position enters the state when it leaves the ring.
class HybridMixer final : public DescribedMixer {
 public:
  /// `parameters`: see hybrid_descriptor.
  HybridMixer(const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters);

  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int length) const override;
  void reserve(LayerCache& cache, int length) const override;
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                int head) const override;
  [[nodiscard]] bool fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const override;

 private:
  struct Parts;
  /// Keys and values that the span's positions push out of the window: position i pushes i - w.
  void collect_leaving(const MixerRows& rows, const Projected& projected, const Parts& parts) const;
  void prepare_states(const MixerRows& rows) const;
  void run_states(const MixerRows& rows, const Projected& projected, const Parts& parts, KernelScratch& scratch) const;
  /// One query head with its features and its keys and values of k, v [count, G, d]; its queries are left to set.
  [[nodiscard]] LinearHead linear_head(int head, int count, const float* k, const float* v) const;
  /// One head's part of the state.
  [[nodiscard]] float* state(const LayerCache& cache, int head) const;
  /// Adds keys and values [count, G, d] to the state.
  void add_to_state(const LayerCache& cache, int count, const float* k, const float* v, KernelScratch& scratch) const;
  void combine(const MixerRows& rows, const Projected& projected, const Parts& parts) const;

  /// The first row of a span that has something behind its window, and how many there are.
  struct Behind {
    int first = 0, count = 0;
  };
  [[nodiscard]] Behind behind(const MixerSpan& span) const;
  [[nodiscard]] std::size_t state_bytes() const;
  /// Whether a sequence of so many tokens has something behind its window.
  [[nodiscard]] bool has_state(int length) const { return rewritten_bytes(length) > 0; }

  AttentionBlock block_;
  WindowCache window_;
  int map_size_;
  std::vector<float> parameters_;
  std::span<const float> q_features_, k_features_;  // [H, d, f]
  std::vector<float> window_factors_;               // [H]: e^window_weight
};

extern const MixerDescriptor hybrid_descriptor;

}  // namespace layerboost
