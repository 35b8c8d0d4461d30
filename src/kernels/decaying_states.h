// Causal linear attention out of one or two states whose numbers fade by the dimension of the key (DSLA, arXiv
// 2506.09316, equations 4 and 5), of the R query heads that share one KV head, all in f32:
//   S^s_t = diag(exp(g^s_t)) S^s_{t-1} + k_t v_t^T,    o_t = sum_s w_s (S^s_t)^T q_t,
// with g^s_t [d] <= 0 the logarithms of the gates. There is no feature map and nothing is divided by a total.
//
// Prompts and training take chunks of 64 tokens. With b_t the sum of g over a chunk's tokens behind the first, up to
// t, S the state before the chunk after the first token's gate, Q' = q exp(b), K' = k exp(-b):
//   O = sum_s w_s (Q' S + mask(Q' K'^T) V),    S <- diag(exp(b_last)) (S + K'^T V).
// A chunk ends sooner where b falls below -60, so that exp(-b) stays finite. All of it runs on the caller's thread.
#pragma once

#include <cstddef>

#include "kernels/scratch.h"

namespace layerboost {

inline constexpr int most_states = 2;

/// The inputs: `count` tokens of one KV head and its query heads. Strides are in floats.
struct DecayingHeads {
  int count = 0;
  int head_size = 0;                                        // d
  int heads = 0;                                            // R
  int states = 0;                                           // 1 or 2
  const float *q = nullptr, *k = nullptr, *v = nullptr;     // [count, R, d], [count, d], [count, d]
  std::ptrdiff_t q_stride = 0, k_stride = 0, v_stride = 0;  // between tokens
  const float* log_gates[most_states] = {};                 // [count, d] each
  std::ptrdiff_t gate_stride = 0;                           // between tokens
  float weights[most_states] = {};                          // w_s
};

/// Floats of the states of one KV head: [states, d, d'], d' = d rounded up to a multiple of 16. Zeros: nothing seen
/// yet.
std::size_t decaying_state_floats(int head_size, int states);

/// Computes out [count, R, d], tokens out_stride floats apart. `state` holds what came before, and afterwards all.
void decaying_states(const DecayingHeads& heads, float* state, float* out, std::ptrdiff_t out_stride,
                     ScratchStack& scratch);

/// Where gradients are added to; strides as those of DecayingHeads.
struct DecayingGradients {
  float *q = nullptr, *k = nullptr, *v = nullptr;
  std::ptrdiff_t q_stride = 0, k_stride = 0, v_stride = 0;
  float* log_gates[most_states] = {};
  std::ptrdiff_t gate_stride = 0;
  double* weights = nullptr;  // [states]
};

/// Adds the gradients for dout [count, R, d] of a sequence from its beginning (no state before).
void decaying_states_backward(const DecayingHeads& heads, const float* dout, std::ptrdiff_t dout_stride,
                              const DecayingGradients& gradients, ScratchStack& scratch);

/// out [n] = max(log(sigmoid(z + bias)) / 16, -50): logarithms of gates.
void log_gates(const float* z, const float* bias, int n, float* out);

/// d log gate / dz, of what log_gates() gave.
float log_gate_slope(float log_gate);

}  // namespace layerboost
