// The training side of kind dual_state; its formulas are in dual_state.h.
#pragma once

#include <vector>

#include "mixer/dual_state_gates.h"
#include "mixer/training.h"

namespace layerboost {

/// Gradients of the states: kernels/decaying_states.h. d log alpha / dz = (1 - sigmoid(z)) / 16, 0 where it is bounded;
/// da_s = w_s (dw_s - sum_r w_r dw_r).
class DualStateCore final : public MixerCore {
 public:
  /// `parameters`: see dual_state_shapes().
  DualStateCore(const Config& config, const MixerSpec& spec, std::vector<float> parameters);

  /// Log gates [states, N, G, d]; with a norm also the outputs before it [N, H, d].
  [[nodiscard]] std::size_t saved_floats(const CoreBatch& batch) const override;
  void forward(const CoreInputs& inputs, float* out, float* saved, KernelScratch& scratch) const override;
  void backward(const CoreInputs& inputs, const float* out, const float* saved, const float* dout,
                const CoreGradients& gradients, std::span<float> parameter_gradients,
                KernelScratch& scratch) const override;
  std::span<float> parameters() override { return parameters_; }
  [[nodiscard]] bool needs_plain() const override { return true; }

 private:
  [[nodiscard]] DualStateParameters<const float> own() const { return {config_, spec_, parameters_}; }
  [[nodiscard]] std::size_t gate_floats(const CoreBatch& batch) const;
  [[nodiscard]] DecayingHeads heads_of(const CoreInputs& inputs, const float* log_gates, int sequence, int head) const;
  void backward_norm(const float* before, const float* dout, std::ptrdiff_t heads, float* dbefore,
                     std::span<float> dnorm) const;

  Config config_;
  MixerSpec spec_;
  std::vector<float> parameters_;
};

}  // namespace layerboost
