// The training side of kind hybrid; its formulas are in hybrid.h.
#pragma once

#include <vector>

#include "kernels/attention_training.h"
#include "mixer/linear_sequences.h"
#include "mixer/training.h"

namespace layerboost {

/// With N_i / M_i = out_i, m_i = r W_i, M_i = m_i + total_i, and g the gradient of out_i:
///   d o^window = m / M g,  d sums = g / M,  d total = - g . out / M,  d log m = (g . o^window - g . out) m / M,
/// and log m = window_weight + log sum e^s - c, where c is the score of one key: its share of the gradient goes there.
class HybridCore final : public MixerCore {
 public:
  /// `parameters`: see hybrid_descriptor.
  HybridCore(const Config& config, Precision precision, const MixerSpec& spec, std::vector<float> parameters);

  [[nodiscard]] std::size_t saved_floats(const CoreBatch& batch) const override;
  void forward(const CoreInputs& inputs, float* out, float* memory, KernelScratch& scratch) const override;
  void backward(const CoreInputs& inputs, const float* out, const float* memory, const float* dout,
                const CoreGradients& gradients, std::span<float> parameter_gradients,
                KernelScratch& scratch) const override;
  std::span<float> parameters() override { return parameters_; }

 private:
  template <typename Float>
  struct Saved;
  [[nodiscard]] TrainingAttention window(const CoreBatch& batch) const;
  [[nodiscard]] LinearSequences linear(const CoreInputs& inputs) const;
  [[nodiscard]] float factor(std::ptrdiff_t at, const Saved<const float>& saved) const;
  void add_to_largest(const CoreInputs& inputs, const Saved<const float>& saved, const float* dlog_sums,
                      const CoreGradients& gradients) const;

  TrainingAttention window_;  // of no rows
  int map_size_;
  std::vector<float> parameters_;
};

}  // namespace layerboost
