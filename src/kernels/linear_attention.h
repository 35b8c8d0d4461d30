// Causal linear attention of one head with learned features and an optional decay, in chunks of 64 tokens, all in f32.
//   w_ij = (phi_q(q_i) . phi_k(k_j)) prod_{j < t <= i} decay_t,  sums_i = sum_{j <= i} w_ij v_j,  totals_i = sum w_ij,
//   phi(x) = max(1e-12, [softmax(x W), softmax(-x W)])
// (Hedgehog features: Zhang et al. 2024; LoLCATs; gated with a scalar: Lizard.) The
// recurrence S_t = decay_t S_{t-1} + phi_k(k_t) v_t^T, z_t likewise, gives the same: sums_t = phi_q(q_t)^T S_t. All of
// it runs on the caller's thread.
#pragma once

#include <cstddef>

#include "kernels/scratch.h"

namespace layerboost {

/// The inputs: `count` tokens of one head. Strides are in floats.
struct LinearHead {
  int count = 0;
  int head_size = 0;                                        // d
  int map_size = 0;                                         // f, half of the features
  const float *q = nullptr, *k = nullptr, *v = nullptr;     // [count, d]
  std::ptrdiff_t q_stride = 0, k_stride = 0, v_stride = 0;  // between tokens
  const float *q_map = nullptr, *k_map = nullptr;           // [d, f]
  const float* log_decay = nullptr;                         // [count], <= 0; nullptr: no decay
};

/// Floats of a state: S [F, d'] and z [F], F = 2 f and d both rounded up to multiples of 16. Zeros: nothing seen yet.
std::size_t linear_state_floats(int head_size, int map_size);

/// Computes sums [count, d], tokens sums_stride floats apart, and totals [count], totals_stride apart. `state` holds
/// what came before, and afterwards all.
void linear_attention(const LinearHead& head, float* state, float* sums, std::ptrdiff_t sums_stride, float* totals,
                      std::ptrdiff_t totals_stride, ScratchStack& scratch);

/// Where gradients are added to; strides as those of LinearHead.
struct LinearGradients {
  float *q = nullptr, *k = nullptr, *v = nullptr;
  std::ptrdiff_t q_stride = 0, k_stride = 0, v_stride = 0;
  float *q_map = nullptr, *k_map = nullptr;
  float* log_decay = nullptr;  // [count]; nullptr without decay
};

/// Adds the gradients for dsums [count, d] and dtotals [count] of a sequence from its beginning (no state before).
void linear_attention_backward(const LinearHead& head, const float* dsums, std::ptrdiff_t dsums_stride,
                               const float* dtotals, std::ptrdiff_t dtotals_stride, const LinearGradients& gradients,
                               ScratchStack& scratch);

}  // namespace layerboost
