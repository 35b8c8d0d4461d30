#include "mixer/dual_state_core.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace layerboost {
namespace {

/// 1 / sqrt(mean(x^2) + eps)
float inverse_size(const float* x, int n, float eps) {
  float squares = 0;
  for (int j = 0; j < n; ++j) squares += x[j] * x[j];
  return 1 / std::sqrt(squares / static_cast<float>(n) + eps);
}

}  // namespace

DualStateCore::DualStateCore(const Config& config, const MixerSpec& spec, std::vector<float> parameters)
    : config_(config), spec_(spec), parameters_(std::move(parameters)) {
  LB_CHECK(parameters_.size() == parameter_count(config, spec));
}

std::size_t DualStateCore::gate_floats(const CoreBatch& batch) const {
  return static_cast<std::size_t>(batch.rows() * state_count(spec_) * config_.kv_size());
}

std::size_t DualStateCore::saved_floats(const CoreBatch& batch) const {
  const std::ptrdiff_t before = has_variant(spec_, DualStateVariant::output_norm) ? batch.rows() * config_.q_size() : 0;
  return gate_floats(batch) + static_cast<std::size_t>(before);
}

DecayingHeads DualStateCore::heads_of(const CoreInputs& inputs, const float* log_gates, int sequence, int head) const {
  const int d = config_.head_size;
  const std::ptrdiff_t row = std::ptrdiff_t{sequence} * inputs.batch.length, q = config_.q_size(),
                       kv = config_.kv_size(), key = row * kv + std::ptrdiff_t{head} * d;
  DecayingHeads heads;
  heads.count = inputs.batch.length;
  heads.head_size = d;
  heads.heads = config_.heads / config_.kv_heads;
  heads.states = state_count(spec_);
  heads.q = inputs.q_plain + row * q + std::ptrdiff_t{head} * heads.heads * d;
  heads.k = inputs.k_plain + key;
  heads.v = inputs.v + key;
  heads.q_stride = q;
  heads.k_stride = heads.v_stride = heads.gate_stride = kv;
  const std::vector<float> weights = blend_weights(own().blend);
  for (int s = 0; s < heads.states; ++s) {
    heads.log_gates[s] = log_gates + s * inputs.batch.rows() * kv + key;
    heads.weights[s] = weights[static_cast<std::size_t>(s)] / std::sqrt(static_cast<float>(d));
  }
  return heads;
}

void DualStateCore::forward(const CoreInputs& inputs, float* out, float* saved, KernelScratch& scratch) const {
  const CoreBatch& batch = inputs.batch;
  float* const log_gates = saved;
  dual_state_log_gates(config_, spec_, parameters_, {static_cast<int>(batch.rows()), inputs.x, inputs.k_plain},
                       log_gates, scratch);
  const std::ptrdiff_t q = config_.q_size();
  const std::span<const float> norm = own().norm;
  float* const before = norm.empty() ? out : saved + gate_floats(batch);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < batch.sequences; ++sequence) {
    for (int head = 0; head < config_.kv_heads; ++head) {
      const DecayingHeads heads = heads_of(inputs, log_gates, sequence, head);
      ScratchStack::Frame frame(threads.mine());
      const std::size_t size = decaying_state_floats(heads.head_size, heads.states);
      float* const state = frame.take<float>(size);
      std::fill_n(state, size, 0.0F);
      decaying_states(heads, state, before + (heads.q - inputs.q_plain), q, threads.mine());
    }
  }
  if (norm.empty()) return;
  const int d = config_.head_size;
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t at = 0; at < batch.rows() * config_.heads; ++at) {
    const float inverse = inverse_size(before + at * d, d, config_.norm_eps);
    for (int j = 0; j < d; ++j) out[at * d + j] = inverse * norm[static_cast<std::size_t>(j)] * before[at * d + j];
  }
}

/// With y = x / size, g = dout norm: dx = (g - y mean(g y)) / size, dnorm = sum dout y.
void DualStateCore::backward_norm(const float* before, const float* dout, std::ptrdiff_t heads, float* dbefore,
                                  std::span<float> dnorm) const {
  const int d = config_.head_size;
  const std::span<const float> norm = own().norm;
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t at = 0; at < heads; ++at) {
    const float *const x = before + at * d, *const g = dout + at * d;
    const float inverse = inverse_size(x, d, config_.norm_eps);
    float mean = 0;
    for (int j = 0; j < d; ++j) mean += g[j] * norm[static_cast<std::size_t>(j)] * x[j] * inverse;
    mean /= static_cast<float>(d);
    for (int j = 0; j < d; ++j)
      dbefore[at * d + j] = inverse * (g[j] * norm[static_cast<std::size_t>(j)] - x[j] * inverse * mean);
  }
  std::vector<double> sums(static_cast<std::size_t>(d));
  for (std::ptrdiff_t at = 0; at < heads; ++at) {
    const float inverse = inverse_size(before + at * d, d, config_.norm_eps);
    for (int j = 0; j < d; ++j)
      sums[static_cast<std::size_t>(j)] += static_cast<double>(dout[at * d + j] * before[at * d + j] * inverse);
  }
  for (std::size_t j = 0; j < sums.size(); ++j) dnorm[j] += static_cast<float>(sums[j]);
}

void DualStateCore::backward(const CoreInputs& inputs, const float* /*out*/, const float* saved, const float* dout,
                             const CoreGradients& gradients, std::span<float> parameter_gradients,
                             KernelScratch& scratch) const {
  const CoreBatch& batch = inputs.batch;
  const std::ptrdiff_t q = config_.q_size(), kv = config_.kv_size(), rows = batch.rows();
  const int states = state_count(spec_);
  const DualStateParameters<float> dparameters(config_, spec_, parameter_gradients);
  ScratchStack::Frame outer(scratch.caller());
  const float* const log_gates = saved;
  if (!own().norm.empty()) {
    float* const dbefore = outer.take<float>(static_cast<std::size_t>(rows * q));
    backward_norm(saved + gate_floats(batch), dout, rows * config_.heads, dbefore, dparameters.norm);
    dout = dbefore;
  }
  float* const dlog_gates = outer.take<float>(gate_floats(batch));
  std::fill_n(dlog_gates, gate_floats(batch), 0.0F);
  const auto parts = static_cast<std::size_t>(batch.sequences * config_.kv_heads * most_states);
  double* const dweights = outer.take<double>(parts);  // by sequence and head first: then no order of threads matters
  std::fill_n(dweights, parts, 0.0);
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < batch.sequences; ++sequence) {
    for (int head = 0; head < config_.kv_heads; ++head) {
      const DecayingHeads heads = heads_of(inputs, log_gates, sequence, head);
      const std::ptrdiff_t query = heads.q - inputs.q_plain, key = heads.k - inputs.k_plain;
      DecayingGradients own = {gradients.q_plain + query,
                               gradients.k_plain + key,
                               gradients.v + key,
                               q,
                               kv,
                               kv,
                               {},
                               kv,
                               dweights + (sequence * config_.kv_heads + head) * most_states};
      for (int s = 0; s < states; ++s) own.log_gates[s] = dlog_gates + s * rows * kv + key;
      decaying_states_backward(heads, dout + query, q, own, threads.mine());
    }
  }
  if (!dparameters.blend.empty()) {
    const std::vector<float> weights = blend_weights(own().blend);
    double sums[most_states] = {};
    for (std::size_t i = 0; i < parts; ++i) sums[i % most_states] += dweights[i];
    for (double& sum : sums) sum /= std::sqrt(static_cast<double>(config_.head_size));
    const double mean = static_cast<double>(weights[0]) * sums[0] + static_cast<double>(weights[1]) * sums[1];
    for (std::size_t s = 0; s < most_states; ++s)
      dparameters.blend[s] += static_cast<float>(static_cast<double>(weights[s]) * (sums[s] - mean));
  }
  dual_state_gates_backward(config_, spec_, parameters_, {static_cast<int>(rows), inputs.x, inputs.k_plain}, log_gates,
                            dlog_gates, gradients.x, gradients.k_plain, parameter_gradients, scratch);
}

}  // namespace layerboost
