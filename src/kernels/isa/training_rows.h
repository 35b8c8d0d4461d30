// Rows in training, compiled once per instruction level (see kernels.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gate.h"

namespace layerboost {

/// How a row of logits' gradient is made: out = scale * (student_weight * p_student - teacher_weight * p_teacher).
struct LogitsGradient {
  float teacher_lse = 0, student_lse = 0;  // log sum exp of the rows
  float teacher_weight = 1, student_weight = 1, scale = 1;
};

struct AdamStep {
  float rate = 0, beta1 = 0, beta2 = 0, epsilon = 0, decay = 0;
  float correction1 = 1, correction2 = 1;  // 1 / (1 - beta^t)
  float gradient_factor = 1;
};

struct TrainingRowKernels {
  /// dx += the gradient of x / sqrt(mean(x^2) + eps) * weight for dy.
  void (*rms_norm_backward)(const float* x, const float* weight, const float* dy, float eps, int n, float* dx);
  /// By Gate f, in f32, and with bf16 gate, up and outputs. out: dgate [n], then dup [n]; activated = f(gate) * up.
  void (*gate_mul_backward[gate_count])(const float* gate_up, const float* dy, int n, float* out, float* activated);
  void (*gate_mul_backward_bf16[gate_count])(const std::uint16_t* gate_up, const float* dy, int n, std::uint16_t* out,
                                             std::uint16_t* activated);
  /// activated = f(gate) * up, and gate, up rounded into `kept` [2 n].
  void (*gate_mul_bf16[gate_count])(const float* gate_up, int n, std::uint16_t* kept, std::uint16_t* activated);
  /// Returns KL(teacher || student) and leaves the gradient in out.
  double (*logits_gradient)(const float* teacher, const float* student, const LogitsGradient& how, int n, float* out);
  double (*logits_gradient_bf16)(const float* teacher, const float* student, const LogitsGradient& how, int n,
                                 std::uint16_t* out);
  /// gradient *= 1 - (capped / cap)^2: that of what was capped (kernels/soft_cap.h).
  void (*soft_cap_backward)(const float* capped, float cap, int n, float* gradient);
  void (*soft_cap_backward_bf16)(const float* capped, float cap, int n, std::uint16_t* gradient);
  /// Sum of squares in double over blocks.
  double (*sum_squares)(const float* x, std::ptrdiff_t n);
  void (*adam)(const AdamStep& step, std::ptrdiff_t n, const float* gradient, float* x, float* m, float* v);
};

}  // namespace layerboost
