#include "mixer/hybrid_core.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "kernels/activations.h"
#include "kernels/soft_cap.h"
#include "mixer/attention_core.h"
#include "mixer/feature_maps.h"

namespace layerboost {
namespace {

float dot(const float* a, const float* b, int n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

/// What forward leaves: [N, H] each, and the window's output [N, H, d].
template <typename Float>
struct HybridCore::Saved {
  Float *log_sums, *maxima, *largest_keys, *totals, *window_out;

  Saved(Float* memory, std::ptrdiff_t heads)
      : log_sums(memory),
        maxima(log_sums + heads),
        largest_keys(maxima + heads),
        totals(largest_keys + heads),
        window_out(totals + heads) {}
};

HybridCore::HybridCore(const Config& config, Precision precision, const MixerSpec& spec, std::vector<float> parameters)
    : window_(attention_shape(config, precision, spec)),
      map_size_(feature_map_size(config)),
      parameters_(std::move(parameters)) {
  LB_CHECK(parameters_.size() == parameter_count(config, {MixerKind::hybrid}));
}

std::size_t HybridCore::saved_floats(const CoreBatch& batch) const {
  return static_cast<std::size_t>(batch.rows() * window_.heads * (4 + window_.head_size));
}

TrainingAttention HybridCore::window(const CoreBatch& batch) const {
  TrainingAttention shape = window_;
  shape.sequences = batch.sequences;
  shape.length = batch.length;
  return shape;
}

LinearSequences HybridCore::linear(const CoreInputs& inputs) const {
  const std::ptrdiff_t map = std::ptrdiff_t{window_.heads} * window_.head_size * map_size_;
  return {inputs.batch, window_.heads,  window_.kv_heads,   window_.head_size,
          map_size_,    window_.window, window_.sinks,      inputs.q,
          inputs.k,     inputs.v,       parameters_.data(), parameters_.data() + map,
          nullptr};
}

/// m_i of [N, H] place `at`.
float HybridCore::factor(std::ptrdiff_t at, const Saved<const float>& saved) const {
  const float weight = parameters_[parameters_.size() - static_cast<std::size_t>(window_.heads - at % window_.heads)];
  return std::exp(weight) * std::exp2(saved.log_sums[at] - saved.maxima[at]);
}

void HybridCore::forward(const CoreInputs& inputs, float* out, float* memory, KernelScratch& scratch) const {
  const std::ptrdiff_t heads = inputs.batch.rows() * window_.heads;
  const int d = window_.head_size;
  const Saved<float> saved(memory, heads);
  const TrainingAttention shape = window(inputs.batch);
  training_attention(shape, inputs.q, inputs.k, inputs.v, saved.window_out, saved.log_sums, scratch);
  training_maxima(shape, inputs.q, inputs.k, saved.maxima, saved.largest_keys, scratch);
  linear_sequences(linear(inputs), out, saved.totals, scratch);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t at = 0; at < heads; ++at) {
    const bool alone = saved.totals[at] == 0;  // nothing behind the window
    const float m = alone ? 1 : factor(at, {memory, heads}), inverse = 1 / (m + saved.totals[at]);
    for (int c = 0; c < d; ++c) out[at * d + c] = (m * saved.window_out[at * d + c] + out[at * d + c]) * inverse;
  }
}

void HybridCore::backward(const CoreInputs& inputs, const float* out, const float* memory, const float* dout,
                          const CoreGradients& gradients, std::span<float> parameter_gradients,
                          KernelScratch& scratch) const {
  const std::ptrdiff_t heads = inputs.batch.rows() * window_.heads;
  const int d = window_.head_size;
  const Saved<const float> saved(memory, heads);
  ScratchStack::Frame frame(scratch.caller());
  float* const dwindow = frame.take<float>(static_cast<std::size_t>(heads * (2 * d + 2)));
  float* const dsums = dwindow + heads * d;
  float* const dtotals = dsums + heads * d;
  float* const dlog_sums = dtotals + heads;
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t at = 0; at < heads; ++at) {
    const float* const g = dout + at * d;
    const bool alone = saved.totals[at] == 0;
    const float m = alone ? 1 : factor(at, saved), inverse = 1 / (m + saved.totals[at]);
    const float through = dot(g, out + at * d, d);
    for (int c = 0; c < d; ++c) {
      dwindow[at * d + c] = m * inverse * g[c];
      dsums[at * d + c] = alone ? 0 : inverse * g[c];
    }
    dtotals[at] = alone ? 0 : -through * inverse;
    dlog_sums[at] = alone ? 0 : (dot(g, saved.window_out + at * d, d) - through) * m * inverse;
  }
  training_attention_backward(window(inputs.batch), inputs.q, inputs.k, inputs.v, saved.window_out, saved.log_sums,
                              dwindow, gradients.q, gradients.k, gradients.v, dlog_sums, scratch);
  add_to_largest(inputs, saved, dlog_sums, gradients);

  float* const dparameters = parameter_gradients.data();
  const std::ptrdiff_t map = std::ptrdiff_t{window_.heads} * d * map_size_;
  linear_sequences_backward(linear(inputs), dsums, dtotals,
                            {gradients.q, gradients.k, gradients.v, dparameters, dparameters + map, nullptr}, scratch);
  for (int head = 0; head < window_.heads; ++head) {
    double sum = 0;
    for (std::ptrdiff_t at = head; at < heads; at += window_.heads) sum += static_cast<double>(dlog_sums[at]);
    dparameters[2 * map + head] += static_cast<float>(sum);
  }
}

/// The gradient of -c_i, which is minus that of the log-sum, for the key whose score c_i is.
void HybridCore::add_to_largest(const CoreInputs& inputs, const Saved<const float>& saved, const float* dlog_sums,
                                const CoreGradients& gradients) const {
  const std::ptrdiff_t d = window_.head_size, H = window_.heads, G = window_.kv_heads, ratio = H / G;
  const std::ptrdiff_t length = inputs.batch.length;
#pragma omp parallel for collapse(2) schedule(static)
  for (std::ptrdiff_t sequence = 0; sequence < inputs.batch.sequences; ++sequence) {
    for (std::ptrdiff_t kv_head = 0; kv_head < G; ++kv_head) {
      for (std::ptrdiff_t i = 0; i < length; ++i) {
        for (std::ptrdiff_t r = 0; r < ratio; ++r) {
          const std::ptrdiff_t at = (sequence * length + i) * H + kv_head * ratio + r;
          const std::ptrdiff_t key = sequence * length + static_cast<std::ptrdiff_t>(saved.largest_keys[at]);
          const std::ptrdiff_t k = (key * G + kv_head) * d;
          const float score = saved.maxima[at] / std::numbers::log2e_v<float>;
          const float slope = -dlog_sums[at] * window_.scale * soft_cap_slope(score, window_.soft_cap);
          for (std::ptrdiff_t c = 0; c < d; ++c) {
            gradients.q[at * d + c] += slope * inputs.k[k + c];
            gradients.k[k + c] += slope * inputs.q[at * d + c];
          }
        }
      }
    }
  }
}

}  // namespace layerboost
