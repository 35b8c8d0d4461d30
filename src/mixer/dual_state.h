// Two linear states of different memory (DSLA: Ro et al. 2025, arXiv 2506.09316; docs/mixers.md).
#pragma once

#include <span>
#include <vector>

#include "mixer/attention_block.h"
#include "mixer/described_mixer.h"
#include "mixer/dual_state_gates.h"

namespace layerboost {

/// Per KV head and state s, of k, q and v before RoPE (after bias and head norms):
///   z^s = k W^s + b^s,  log alpha^s = max(log(sigmoid(z^s)) / 16, -50),  S^s <- diag(alpha^s) S^s + k v^T,
///   o_h = sum_s w_s (S^s)^T q_h / sqrt(d) for each of its query heads h,  w = softmax(a).
/// There is no RoPE (positions are in the gates), no feature map and no total. The paper's gates read x and not k;
/// reading k, a state can be made of cached keys and values alone (fold), and has d inputs instead of D. The paper's
/// states are per query head; heads that share k and v share states here. Equations 4 and 5 of the paper, which writes
/// one state by mistake.
/// The cache: the states of all KV heads, f32, whatever keys and values are kept as.
class DualStateMixer final : public DescribedMixer {
 public:
  /// `parameters`: see dual_state_shapes().
  DualStateMixer(const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters);

  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int length) const override;
  void reserve(LayerCache& cache, int length) const override;
  /// Makes the states that the keys and values of all positions give, exact up to the rounding of `from`'s cache. False
  /// where that has lost some, for there is no telling how far the others have faded. Gates on x read inputs that
  /// nobody keeps: with them only caches without positions are taken over.
  [[nodiscard]] bool fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const override;

 private:
  struct Parts;
  [[nodiscard]] AttentionBlock::SeeTile see_tile(const Parts& parts, KernelScratch& scratch) const;
  void find_gates(const Parts& parts, KernelScratch& scratch) const;
  void prepare_states(const MixerRows& rows) const;
  void run_states(const MixerRows& rows, const Parts& parts, float* out, KernelScratch& scratch) const;
  void normalise(int rows, float* out) const;
  /// `count` tokens of a KV head, q left to set; k and v [count, G, d], log_gates [states, rows, G, d].
  [[nodiscard]] DecayingHeads heads_of(int head, int count, const float* k, const float* v, const float* log_gates,
                                       int rows) const;
  [[nodiscard]] float* state(const LayerCache& cache, int head) const;
  [[nodiscard]] std::size_t state_bytes() const;

  AttentionBlock block_;
  std::vector<float> parameters_;
  DualStateParameters<const float> own_;
  std::vector<float> weights_;        // [states]: w_s / sqrt(d)
  PackedMatrix gates_on_x_;           // [states G d, D]; of the variant that reads x
  std::span<const float> smoothing_;  // [G d] or empty: what values have been divided by
  const Model& model_;
  int layer_;
};

extern const MixerDescriptor dual_state_descriptor;

}  // namespace layerboost
