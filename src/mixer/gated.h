// A decaying linear state and a softmax window with learned sinks (Lizard; docs/mixers.md).
#pragma once

#include <span>
#include <vector>

#include "mixer/described_mixer.h"
#include "mixer/window_cache.h"

namespace layerboost {

/// Per head, o_i = linear_scale o^gate_i + window_scale o^window_i.
///   o^gate: linear attention over all j <= i (kernels/linear_attention.h) on q and k before RoPE, divided by its
///   total; the decay at t is sigmoid(gate . x_t + gate_bias), x the layer's normalised input. o^window_i = sum_{P_i}
///   e^s_ij v_j / (sum_m e^sink_logits_m + sum_{P_i} e^s_ij), P_i = { j : 0 <= i - j < w }.
/// Lizard's own has linear_scale = 1 and no gate_bias: with them an untrained layer can be the window alone.
/// The cache: a state of fixed size (H times linear_state_floats(), f32), then a WindowCache without sinks.
class GatedMixer final : public DescribedMixer {
 public:
  /// `parameters`: see gated_descriptor.
  GatedMixer(const MixerPlace& place, const MixerSpec& spec, std::span<const float> parameters);

  void forward(const MixerRows& rows, Workspace& workspace) const override;
  [[nodiscard]] std::size_t cache_bytes(int length) const override;
  void reserve(LayerCache& cache, int length) const override;
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position,
                                                int head) const override;
  /// Takes over only caches without positions: the state is made of inputs that nobody keeps.
  [[nodiscard]] bool fold(const Mixer& from, const LayerCache& cache, int length, LayerCache& to) const override;

 private:
  struct Parts;
  [[nodiscard]] AttentionBlock::SeeTile see_tile(const Parts& parts, KernelScratch& scratch) const;
  void prepare_states(const MixerRows& rows) const;
  void run_states(const MixerRows& rows, const Projected& projected, const Parts& parts, KernelScratch& scratch) const;
  void combine(const MixerRows& rows, const Projected& projected, const Parts& parts) const;
  [[nodiscard]] std::size_t state_bytes() const;

  AttentionBlock block_;
  WindowCache window_;
  int map_size_;
  std::vector<float> parameters_;
  std::span<const float> q_features_, k_features_;                  // [H, d, f]
  std::span<const float> gate_bias_, linear_scale_, window_scale_;  // [H]
  std::vector<float> sinks_;                                        // [H]: log2 of the sum of e^sink_logits
  PackedMatrix gate_;                                               // [H, D]
};

extern const MixerDescriptor gated_descriptor;

}  // namespace layerboost
