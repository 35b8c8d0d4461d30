// Softmax attention for training: whole sequences at once, forward keeping the log-sum-exp of each query's scores, and
// the gradient, which computes the probabilities again from it (FlashAttention, Dao et al. 2022, appendix B).
#pragma once

#include <cstddef>

#include "kernels/head_set.h"
#include "kernels/scratch.h"

namespace layerboost {

/// Heads can't be larger.
inline constexpr int most_trained_head_size = 256;

/// `sequences` of `length` tokens each, one after another; N = sequences * length rows.
/// Query i of a sequence sees key j if j <= i, and i - j < window or window == 0 or j < sinks or its KV head is in
/// `full`.
struct TrainingAttention {
  int sequences = 0, length = 0;
  int heads = 0, kv_heads = 0,
      head_size = 0;  // H, G, d (even, most_trained_head_size at most); query head n uses KV head n / (H / G)
  int window = 0, sinks = 0;
  float scale = 0;     // of the scores
  bool bf16 = false;   // operands of products rounded to bf16, sums f32; otherwise all f32
  HeadSet full = 0;    // KV heads whose queries see all keys before them
  float soft_cap = 0;  // of the scores (kernels/soft_cap.h); 0: none

  [[nodiscard]] std::ptrdiff_t rows() const { return static_cast<std::ptrdiff_t>(sequences) * length; }
};

/// out_i = sum_j p_ij v_j with p_ij = softmax_j(s_ij), s_ij = soft_capped(scale * q_i . k_j), and log_sums_i =
/// log2(sum_j e^s_ij). q, out [N, H, d], k, v [N, G, d], log_sums [N, H].
void training_attention(const TrainingAttention& shape, const float* q, const float* k, const float* v, float* out,
                        float* log_sums, KernelScratch& scratch);

/// Adds the gradients to dq [N, H, d], dk, dv [N, G, d] for dout [N, H, d]; `out` and `log_sums` are the forward's.
/// With D_i = dout_i . out_i and dS_ij = p_ij (dout_i . v_j - D_i) soft_cap_slope(s_ij):
///   dv_j += sum_i p_ij dout_i,  dq_i += scale sum_j dS_ij k_j,  dk_j += scale sum_i dS_ij q_i.
/// dlog_sums [N, H]: a further gradient, of each query's natural log-sum-exp (D_i becomes D_i - dlog_sums_i), or
/// nullptr. Results don't depend on the number of threads.
void training_attention_backward(const TrainingAttention& shape, const float* q, const float* k, const float* v,
                                 const float* out, const float* log_sums, const float* dout, float* dq, float* dk,
                                 float* dv, const float* dlog_sums, KernelScratch& scratch);

/// The largest score of each query, s_ij * log2(e), and the key that has it (the first), both [N, H]. f32.
/// Requires: shape.full is empty.
void training_maxima(const TrainingAttention& shape, const float* q, const float* k, float* maxima, float* keys,
                     KernelScratch& scratch);

}  // namespace layerboost
