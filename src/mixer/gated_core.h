// The training side of kind gated; its formulas are in gated.h.
#pragma once

#include <vector>

#include "kernels/attention_training.h"
#include "mixer/gated_parameters.h"
#include "mixer/linear_sequences.h"
#include "mixer/training.h"

namespace layerboost {

/// With g the gradient of out_i, a and b the scales of window and linear part, p = the window's share beside the sinks:
///   d o^window = a p g,  d log sum e^s = a (g . o^window) p (1 - p) = - d log sum e^sink_logits,
///   d sums = b g / total,  d total = - b (g . o^gate) / total,  d gate logit = d log decay (1 - decay).
class GatedCore final : public MixerCore {
 public:
  /// `parameters`: see gated_descriptor.
  GatedCore(const Config& config, Precision precision, const MixerSpec& spec, std::vector<float> parameters);

  [[nodiscard]] std::size_t saved_floats(const CoreBatch& batch) const override;
  void forward(const CoreInputs& inputs, float* out, float* memory, KernelScratch& scratch) const override;
  void backward(const CoreInputs& inputs, const float* out, const float* memory, const float* dout,
                const CoreGradients& gradients, std::span<float> parameter_gradients,
                KernelScratch& scratch) const override;
  std::span<float> parameters() override { return parameters_; }
  [[nodiscard]] bool needs_plain() const override { return true; }

 private:
  template <typename Float>
  struct Saved;
  [[nodiscard]] TrainingAttention window(const CoreBatch& batch) const;
  [[nodiscard]] GatedParameters<const float> own() const { return {config_, parameters_}; }
  [[nodiscard]] LinearSequences linear(const CoreInputs& inputs, const float* log_decays) const;
  void make_log_decays(const CoreInputs& inputs, float* log_decays) const;
  void backward_gates(const CoreInputs& inputs, const float* log_decays, float* dlog_decays,
                      const CoreGradients& gradients, const GatedParameters<float>& dparameters) const;

  Config config_;
  TrainingAttention window_;  // of no rows
  std::vector<float> parameters_;
};

}  // namespace layerboost
