// The training side of softmax attention and of the window.
#pragma once

#include "kernels/attention_training.h"
#include "mixer/training.h"

namespace layerboost {

/// The attention of a mixer's window (kind softmax: all positions), of no rows yet.
TrainingAttention attention_shape(const Config& config, Precision precision, const MixerSpec& spec);

/// The training side of SoftmaxMixer and WindowMixer. Keeps the log-sum-exp of each query's scores: saved [N, H].
class AttentionCore final : public MixerCore {
 public:
  AttentionCore(const Config& config, Precision precision, const MixerSpec& spec)
      : shape_(attention_shape(config, precision, spec)) {}

  [[nodiscard]] std::size_t saved_floats(const CoreBatch& batch) const override;
  void forward(const CoreInputs& inputs, float* out, float* saved, KernelScratch& scratch) const override;
  void backward(const CoreInputs& inputs, const float* out, const float* saved, const float* dout,
                const CoreGradients& gradients, std::span<float> parameter_gradients,
                KernelScratch& scratch) const override;

 private:
  [[nodiscard]] TrainingAttention shape(const CoreBatch& batch) const;

  TrainingAttention shape_;  // of no rows
};

/// MixerDescriptor::make_core of both kinds.
std::unique_ptr<MixerCore> make_attention_core(const Model& model, const MixerSpec& spec,
                                               std::span<const float> parameters);

}  // namespace layerboost
