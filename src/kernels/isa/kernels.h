// The functions that are compiled once per instruction level, as a table. Written without anything that instantiates
// inline functions of the standard library: code for a higher level must never be what the linker keeps for everybody.
#pragma once

#include <cstddef>
#include <cstdint>

namespace layerboost {

/// One row each, `n` numbers. Inputs and outputs may be unaligned; output may be the input only where said.
struct RowKernels {
  /// out = x / sqrt(mean(x^2) + eps) * weight. May be in place.
  void (*rms_norm)(const float* x, const float* weight, float eps, int n, float* out);
  /// x += scale * y
  void (*add)(float* x, const float* y, float scale, int n);
  /// out = scale * y + bias. May be in place.
  void (*add_bias)(const float* y, float scale, const float* bias, int n, float* out);
  /// out = scale * x
  void (*scale)(const float* x, float scale, int n, float* out);
  /// out = silu(scale * gate) * scale * up
  void (*silu_mul)(const float* gate, const float* up, float scale, int n, float* out);
  /// Rounded to nearest even.
  void (*to_bf16)(const float* x, int n, std::uint16_t* out);
  /// out = x / scale rounded to nearest even; returns scale = max|x| / 127 (an all-zero row: 1).
  float (*to_int8)(const float* x, int n, std::int8_t* out);
  /// Rotates the pairs (i, i + half): x[i] c - x[i + half] s, x[i + half] c + x[i] s. In place.
  void (*rotate)(float* x, const float* cosines, const float* sines, int half);
};

/// Rows of logits, with sums kept in double over blocks of a few hundred numbers.
struct LogitKernels {
  /// Returns sum_j exp(scale * logits[j] - *most), *most = max_j scale * logits[j].
  double (*sum_exp)(const float* logits, float scale, int n, float* most);
  /// The first index of the largest.
  int (*argmax)(const float* logits, int n);
  /// sum_v p_v (log p_v - (scale * logits[v] - lse)) with log p as half floats; and the first index of the largest of
  /// each.
  double (*divergence)(const std::uint16_t* log_p, const float* logits, float scale, float lse, int n, int* best_p,
                       int* best_q);
  /// out = scale * logits - lse as half floats.
  void (*store_log_probs)(const float* logits, float scale, float lse, int n, std::uint16_t* out);
};

struct Kernels {
  RowKernels rows;
  LogitKernels logits;
};

namespace avx2 {
extern const RowKernels row_kernels;
extern const LogitKernels logit_kernels;
}  // namespace avx2
namespace avx512 {
extern const RowKernels row_kernels;
extern const LogitKernels logit_kernels;
}  // namespace avx512

}  // namespace layerboost
