#include "mixer/attention_core.h"

namespace layerboost {

TrainingAttention attention_shape(const Config& config, Precision precision, const MixerSpec& spec) {
  TrainingAttention shape;
  shape.heads = config.heads;
  shape.kv_heads = config.kv_heads;
  shape.head_size = config.head_size;
  shape.window = spec.window;
  shape.sinks = spec.sinks;
  shape.full = spec.full;
  shape.scale = config.score_scale();
  shape.soft_cap = config.attention_soft_cap;
  shape.bf16 = precision != Precision::f32;
  return shape;
}

std::size_t AttentionCore::saved_floats(const CoreBatch& batch) const {
  return static_cast<std::size_t>(batch.rows()) * static_cast<std::size_t>(shape_.heads);
}

void AttentionCore::forward(const CoreInputs& inputs, float* out, float* saved, KernelScratch& scratch) const {
  training_attention(shape(inputs.batch), inputs.q, inputs.k, inputs.v, out, saved, scratch);
}

void AttentionCore::backward(const CoreInputs& inputs, const float* out, const float* saved, const float* dout,
                             const CoreGradients& gradients, std::span<float> /*parameter_gradients*/,
                             KernelScratch& scratch) const {
  training_attention_backward(shape(inputs.batch), inputs.q, inputs.k, inputs.v, out, saved, dout, gradients.q,
                              gradients.k, gradients.v, nullptr, scratch);
}

TrainingAttention AttentionCore::shape(const CoreBatch& batch) const {
  TrainingAttention shape = shape_;
  shape.sequences = batch.sequences;
  shape.length = batch.length;
  return shape;
}

std::unique_ptr<MixerCore> make_attention_core(const Model& model, const MixerSpec& spec,
                                               std::span<const float> /*parameters*/) {
  return std::make_unique<AttentionCore>(model.config, model.precision, spec);
}

}  // namespace layerboost
