// Operations on rows between the matrix products of training: backward, beside what row_ops.h has forward. Activations
// are f32 or bf16. Results don't depend on the number of threads.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/activations.h"
#include "kernels/row_ops.h"

namespace layerboost {

/// dx += the gradient of rms_norm(x) for dy. x, dy, dx [rows, cols]; y = w x r with r = (mean(x^2) + eps)^(-1/2), so
/// dx = r (w dy) - x r^3 mean(w dy x).
void rms_norm_backward(const float* x, const float* weight, float eps, const float* dy, int rows, int cols, float* dx);

/// gate_mul() that keeps what its backward needs: `kept` [n, 2F] in out's precision.
void gate_mul_keep(const Product& gate_up, Gate gate, Activations& out, void* kept);

/// From `kept` and dy [n, F] f32: d_gate_up [n, 2F] and once more the forward's result `activated` [n, F], both
/// reshaped by the caller, in the precision of `kept`.
void gate_mul_backward(const void* kept, const float* dy, Gate gate, Activations& d_gate_up, Activations& activated);

/// The gradients of split_qkv() into d_qkv [n, (H + 2G) d], reshaped by the caller. dq, dk, dv: for its results,
/// changed in place. `backwards`: a table of the same frequencies, negative; nullptr: without RoPE. With head norms
/// (shape.q_norm) `qkv` is the forward's product [n, (H + 2G) d], else it isn't read. dq_plain, dk_plain: further
/// gradients for what q and k were before RoPE, or nullptr.
void split_qkv_backward(const float* qkv, const QkvShape& shape, const RopeTable* backwards, const int* positions,
                        float* dq, float* dk, const float* dv, const float* dq_plain, const float* dk_plain,
                        Activations& d_qkv, KernelScratch& scratch);

/// How rows of logits are compared: loss = kl KL(teacher || student) + ce (-log p_student(target)), gradient times
/// `factor`.
struct LogitsLoss {
  float kl = 1, ce = 0, factor = 1;
};
/// What one row gave, nats.
struct LogitsRow {
  double kl = 0, nll = 0, teacher_nll = 0;
};
/// teacher, student [n, V] f32; targets [n], -1: none (no ce then, and nlls are 0). gradient: reshaped to [n, V] by the
/// caller, or nullptr for none. rows [n] gets the losses.
void logits_loss(const float* teacher, const float* student, std::span<const std::int32_t> targets, int vocab,
                 const LogitsLoss& loss, Activations* gradient, std::span<LogitsRow> rows, KernelScratch& scratch);

/// From the gradient of soft_cap_rows()'s result `capped` [n, V] that of its operand, in place.
void soft_cap_backward(const float* capped, float cap, Activations& gradient);

/// The square root of the sum of squares.
double norm_of(std::span<const float> x);

/// AdamW (Loshchilov & Hutter 2019): m, v are moments of gradient * gradient_factor;
/// x -= rate (decay x + m^ / (sqrt(v^) + epsilon)) with the moments' usual corrections for `step` = 1, 2, ...
struct AdamOptions {
  double rate = 0, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8, decay = 0;
  double gradient_factor = 1;
  std::int64_t step = 1;
};
void adam_step(const AdamOptions& options, std::span<const float> gradient, std::span<float> x, std::span<float> m,
               std::span<float> v);

}  // namespace layerboost
