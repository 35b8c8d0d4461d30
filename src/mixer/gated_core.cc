#include "mixer/gated_core.h"

#include <algorithm>
#include <cmath>

#include "kernels/activations.h"
#include "mixer/attention_core.h"

namespace layerboost {
namespace {

float dot(const float* a, const float* b, std::ptrdiff_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::ptrdiff_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

/// What forward leaves: [N, H] twice, [N, H, d] twice, [sequences, H, length].
template <typename Float>
struct GatedCore::Saved {
  Float *log_sums, *totals, *window_out, *sums, *log_decays;

  Saved(Float* memory, std::ptrdiff_t heads, std::ptrdiff_t d)
      : log_sums(memory),
        totals(log_sums + heads),
        window_out(totals + heads),
        sums(window_out + heads * d),
        log_decays(sums + heads * d) {}
};

GatedCore::GatedCore(const Config& config, Precision precision, const MixerSpec& spec, std::vector<float> parameters)
    : config_(config), window_(attention_shape(config, precision, spec)), parameters_(std::move(parameters)) {
  LB_CHECK(parameters_.size() == parameter_count(config, {MixerKind::gated}));
}

std::size_t GatedCore::saved_floats(const CoreBatch& batch) const {
  return static_cast<std::size_t>(batch.rows() * window_.heads * (3 + 2 * window_.head_size));
}

TrainingAttention GatedCore::window(const CoreBatch& batch) const {
  TrainingAttention shape = window_;
  shape.sequences = batch.sequences;
  shape.length = batch.length;
  return shape;
}

LinearSequences GatedCore::linear(const CoreInputs& inputs, const float* log_decays) const {
  const GatedParameters<const float> parameters = own();
  return {inputs.batch,
          window_.heads,
          window_.kv_heads,
          window_.head_size,
          feature_map_size(config_),
          0,
          0,
          inputs.q_plain,
          inputs.k_plain,
          inputs.v,
          parameters.q_features.data(),
          parameters.k_features.data(),
          log_decays};
}

/// log_decays [sequences, H, length]
void GatedCore::make_log_decays(const CoreInputs& inputs, float* log_decays) const {
  const GatedParameters<const float> parameters = own();
  const std::ptrdiff_t D = config_.hidden, length = inputs.batch.length, H = window_.heads;
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t row = 0; row < inputs.batch.rows(); ++row)
    for (std::ptrdiff_t head = 0; head < H; ++head)
      log_decays[(row / length * H + head) * length + row % length] =
          log_sigmoid(dot(inputs.x + row * D, parameters.gate.data() + head * D, D) +
                      parameters.gate_bias[static_cast<std::size_t>(head)]);
}

void GatedCore::forward(const CoreInputs& inputs, float* out, float* memory, KernelScratch& scratch) const {
  const std::ptrdiff_t heads = inputs.batch.rows() * window_.heads;
  const int d = window_.head_size;
  const Saved<float> saved(memory, heads, d);
  const GatedParameters<const float> parameters = own();
  training_attention(window(inputs.batch), inputs.q, inputs.k, inputs.v, saved.window_out, saved.log_sums, scratch);
  make_log_decays(inputs, saved.log_decays);
  linear_sequences(linear(inputs, saved.log_decays), saved.sums, saved.totals, scratch);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t at = 0; at < heads; ++at) {
    const auto head = static_cast<std::size_t>(at % window_.heads);
    const float share = share_beside_sinks(saved.log_sums[at], parameters.log2_sinks(static_cast<int>(head)));
    const float near = parameters.window_scale[head] * share, far = parameters.linear_scale[head] / saved.totals[at];
    for (int c = 0; c < d; ++c) out[at * d + c] = near * saved.window_out[at * d + c] + far * saved.sums[at * d + c];
  }
}

void GatedCore::backward(const CoreInputs& inputs, const float* /*out*/, const float* memory, const float* dout,
                         const CoreGradients& gradients, std::span<float> parameter_gradients,
                         KernelScratch& scratch) const {
  const std::ptrdiff_t heads = inputs.batch.rows() * window_.heads;
  const int d = window_.head_size;
  const Saved<const float> saved(memory, heads, d);
  const GatedParameters<const float> parameters = own();
  const GatedParameters<float> dparameters(config_, parameter_gradients);
  ScratchStack::Frame frame(scratch.caller());
  float* const dwindow = frame.take<float>(static_cast<std::size_t>(heads * (2 * d + 5)));
  float* const dsums = dwindow + heads * d;
  float* const dtotals = dsums + heads * d;
  float* const dlog_sums = dtotals + heads;
  float* const dlog_decays = dlog_sums + heads;
  float* const dwindow_scale = dlog_decays + heads;
  float* const dlinear_scale = dwindow_scale + heads;
  std::fill_n(dlog_decays, heads, 0.0F);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t at = 0; at < heads; ++at) {
    const auto head = static_cast<std::size_t>(at % window_.heads);
    const float* const g = dout + at * d;
    const float share = share_beside_sinks(saved.log_sums[at], parameters.log2_sinks(static_cast<int>(head)));
    const float near = parameters.window_scale[head], far = parameters.linear_scale[head] / saved.totals[at];
    for (int c = 0; c < d; ++c) {
      dwindow[at * d + c] = near * share * g[c];
      dsums[at * d + c] = far * g[c];
    }
    dwindow_scale[at] = share * dot(g, saved.window_out + at * d, d);
    dlinear_scale[at] = dot(g, saved.sums + at * d, d) / saved.totals[at];
    dlog_sums[at] = near * dwindow_scale[at] * (1 - share);
    dtotals[at] = -far * dlinear_scale[at];
  }
  training_attention_backward(window(inputs.batch), inputs.q, inputs.k, inputs.v, saved.window_out, saved.log_sums,
                              dwindow, gradients.q, gradients.k, gradients.v, dlog_sums, scratch);
  linear_sequences_backward(linear(inputs, saved.log_decays), dsums, dtotals,
                            {gradients.q_plain, gradients.k_plain, gradients.v, dparameters.q_features.data(),
                             dparameters.k_features.data(), dlog_decays},
                            scratch);
  backward_gates(inputs, saved.log_decays, dlog_decays, gradients, dparameters);

  for (int head = 0; head < window_.heads; ++head) {
    double window_scale = 0, linear_scale = 0, log_sums = 0;
    for (std::ptrdiff_t at = head; at < heads; at += window_.heads) {
      window_scale += static_cast<double>(dwindow_scale[at]);
      linear_scale += static_cast<double>(dlinear_scale[at]);
      log_sums += static_cast<double>(dlog_sums[at]);
    }
    dparameters.window_scale[static_cast<std::size_t>(head)] += static_cast<float>(window_scale);
    dparameters.linear_scale[static_cast<std::size_t>(head)] += static_cast<float>(linear_scale);
    const auto logits = parameters.sinks_of(head);
    for (std::size_t m = 0; m < gated_sink_logits; ++m) {
      const float share = std::exp2(logits[m] * 1.44269504088896341F - parameters.log2_sinks(head));
      dparameters.sinks_of(head)[m] -= share * static_cast<float>(log_sums);
    }
  }
}

/// From dlog_decays (used up) to the gate's matrix and bias and to x.
void GatedCore::backward_gates(const CoreInputs& inputs, const float* log_decays, float* dlog_decays,
                               const CoreGradients& gradients, const GatedParameters<float>& dparameters) const {
  const GatedParameters<const float> parameters = own();
  const std::ptrdiff_t D = config_.hidden, length = inputs.batch.length, H = window_.heads, rows = inputs.batch.rows();
  float* const dlogits = dlog_decays;  // d log sigmoid(z) / d z = 1 - sigmoid(z)
  for (std::ptrdiff_t i = 0; i < rows * H; ++i) dlogits[i] *= 1 - std::exp(log_decays[i]);
  const auto at = [&](std::ptrdiff_t row, std::ptrdiff_t head) {
    return (row / length * H + head) * length + row % length;
  };
#pragma omp parallel
  {
#pragma omp for schedule(static) nowait
    for (std::ptrdiff_t row = 0; row < rows; ++row)
      for (std::ptrdiff_t head = 0; head < H; ++head)
        for (std::ptrdiff_t c = 0; c < D; ++c)
          gradients.x[row * D + c] += dlogits[at(row, head)] * parameters.gate[static_cast<std::size_t>(head * D + c)];
#pragma omp for schedule(static)
    for (std::ptrdiff_t head = 0; head < H; ++head) {
      float* const dgate = dparameters.gate.data() + head * D;
      double bias = 0;
      for (std::ptrdiff_t row = 0; row < rows; ++row) {
        const float slope = dlogits[at(row, head)];
        bias += static_cast<double>(slope);
        for (std::ptrdiff_t c = 0; c < D; ++c) dgate[c] += slope * inputs.x[row * D + c];
      }
      dparameters.gate_bias[static_cast<std::size_t>(head)] += static_cast<float>(bias);
    }
  }
}

}  // namespace layerboost
