#include "kernels/training_rows.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"
#include "kernels/for_each_row.h"

namespace layerboost {
void rms_norm_backward(const float* x, const float* weight, float eps, const float* dy, int rows, int cols, float* dx) {
  const auto backward = kernels().training_rows.rms_norm_backward;
  for_each_row(rows, cols,
               [&](std::ptrdiff_t i) { backward(x + i * cols, weight, dy + i * cols, eps, cols, dx + i * cols); });
}

void gate_mul_keep(const Product& gate_up, Gate gate, Activations& out, void* kept) {
  LB_CHECK(gate_up.row_scale == nullptr && gate_up.rows == out.rows() && gate_up.cols == 2 * out.cols());
  const int cols = out.cols();
  const std::ptrdiff_t wide = gate_up.cols;
  for_each_row(out.rows(), gate_up.cols, [&](std::ptrdiff_t i) {
    const float* const source = gate_up.data + i * wide;
    const int row = static_cast<int>(i);
    if (out.precision() == Precision::f32) {
      std::copy_n(source, wide, static_cast<float*>(kept) + i * wide);
      kernels().rows.gate_mul[static_cast<int>(gate)](source, source + cols, 1.0F, cols, out.f32(row));
    } else {
      kernels().training_rows.gate_mul_bf16[static_cast<int>(gate)](
          source, cols, static_cast<std::uint16_t*>(kept) + i * wide, out.bf16(row));
    }
  });
}

void gate_mul_backward(const void* kept, const float* dy, Gate gate, Activations& d_gate_up, Activations& activated) {
  const int cols = activated.cols();
  LB_CHECK(d_gate_up.cols() == 2 * cols && d_gate_up.rows() == activated.rows());
  const std::ptrdiff_t wide = d_gate_up.cols();
  for_each_row(activated.rows(), 2 * cols, [&](std::ptrdiff_t i) {
    const int row = static_cast<int>(i);
    if (activated.precision() == Precision::f32)
      kernels().training_rows.gate_mul_backward[static_cast<int>(gate)](
          static_cast<const float*>(kept) + i * wide, dy + i * cols, cols, d_gate_up.f32(row), activated.f32(row));
    else
      kernels().training_rows.gate_mul_backward_bf16[static_cast<int>(gate)](
          static_cast<const std::uint16_t*>(kept) + i * wide, dy + i * cols, cols, d_gate_up.bf16(row),
          activated.bf16(row));
  });
}

void split_qkv_backward(const float* qkv, const QkvShape& shape, const RopeTable* backwards, const int* positions,
                        float* dq, float* dk, const float* dv, const float* dq_plain, const float* dk_plain,
                        Activations& d_qkv, KernelScratch& scratch) {
  const int d = shape.head_size;
  LB_CHECK(d_qkv.cols() == (shape.heads + 2 * shape.kv_heads) * d);
  const RowKernels& rows = kernels().rows;
  const KernelScratch::Threads threads = scratch.threads();
  for_each_row(d_qkv.rows(), d_qkv.cols(), [&](std::ptrdiff_t i) {
    int column = 0;
    ScratchStack::Frame frame(threads.mine());
    const RopeRow turn = backwards != nullptr ? backwards->row(positions[i], frame) : RopeRow();
    float* const row = frame.take<float>(static_cast<std::size_t>(d_qkv.cols()));
    float* const normed = frame.take<float>(static_cast<std::size_t>(d_qkv.cols()));
    const auto turn_back = [&](int heads, float* gradient, const float* plain, const float* norm, const float* bias) {
      const int width = heads * d;
      gradient += i * width;
      for (int h = 0; h < heads && backwards != nullptr; ++h)
        rows.rotate(gradient + static_cast<std::ptrdiff_t>(h) * d, turn.cosines + shape.rope_first,
                    turn.sines + shape.rope_first, d / 2);
      if (plain != nullptr) rows.add(gradient, plain + i * width, 1.0F, width);
      if (norm == nullptr) {
        std::copy_n(gradient, width, row + column);
      } else {
        const float* source = qkv + i * d_qkv.cols() + column;
        if (bias != nullptr) {
          rows.add_bias(source, 1.0F, bias + column, width, normed);
          source = normed;
        }
        std::fill_n(row + column, width, 0.0F);
        const int size = shape.whole_norms ? width : d;
        for (int h = 0; h < width; h += size)
          kernels().training_rows.rms_norm_backward(source + h, norm, gradient + h, shape.norm_eps, size,
                                                    row + column + h);
      }
      column += width;
    };
    turn_back(shape.heads, dq, dq_plain, shape.q_norm, shape.bias);
    turn_back(shape.kv_heads, dk, dk_plain, shape.k_norm, shape.bias);
    std::copy_n(dv + i * shape.kv_heads * d, shape.kv_heads * d, row + column);
    if (d_qkv.precision() == Precision::f32)
      std::copy_n(row, d_qkv.cols(), d_qkv.f32(static_cast<int>(i)));
    else
      rows.to_bf16(row, d_qkv.cols(), d_qkv.bf16(static_cast<int>(i)));
  });
}

void logits_loss(const float* teacher, const float* student, std::span<const std::int32_t> targets, int vocab,
                 const LogitsLoss& loss, Activations* gradient, std::span<LogitsRow> rows, KernelScratch& scratch) {
  LB_CHECK(gradient == nullptr || (gradient->rows() == std::ssize(targets) && gradient->cols() == vocab));
  const KernelScratch::Threads threads = scratch.threads();
  for_each_row(static_cast<int>(targets.size()), vocab, [&](std::ptrdiff_t i) {
    const float* const t = teacher + i * vocab;
    const float* const s = student + i * vocab;
    const std::int32_t target = targets[static_cast<std::size_t>(i)];
    const float ce = target >= 0 ? loss.ce : 0;
    const LogitsGradient how{log_sum_exp(t, 1.0F, vocab), log_sum_exp(s, 1.0F, vocab), loss.kl, loss.kl + ce,
                             loss.factor};
    LogitsRow& row = rows[static_cast<std::size_t>(i)];
    const int at = static_cast<int>(i);
    if (gradient == nullptr) {
      ScratchStack::Frame frame(threads.mine());
      row.kl = kernels().training_rows.logits_gradient_bf16(t, s, how, vocab,
                                                            frame.take<std::uint16_t>(static_cast<std::size_t>(vocab)));
    } else if (gradient->precision() == Precision::f32) {
      row.kl = kernels().training_rows.logits_gradient(t, s, how, vocab, gradient->f32(at));
      if (ce != 0) gradient->f32(at)[target] -= ce * loss.factor;
    } else {
      row.kl = kernels().training_rows.logits_gradient_bf16(t, s, how, vocab, gradient->bf16(at));
      if (ce != 0) {
        std::uint16_t& value = gradient->bf16(at)[target];
        value = to_bf16(from_bf16(value) - ce * loss.factor);
      }
    }
    row.nll = target >= 0 ? static_cast<double>(how.student_lse) - static_cast<double>(s[target]) : 0;
    row.teacher_nll = target >= 0 ? static_cast<double>(how.teacher_lse) - static_cast<double>(t[target]) : 0;
  });
}

void soft_cap_backward(const float* capped, float cap, Activations& gradient) {
  const TrainingRowKernels& kernel = kernels().training_rows;
  const int cols = gradient.cols();
  for_each_row(gradient.rows(), cols, [&](std::ptrdiff_t i) {
    const int row = static_cast<int>(i);
    if (gradient.precision() == Precision::f32)
      kernel.soft_cap_backward(capped + i * cols, cap, cols, gradient.f32(row));
    else
      kernel.soft_cap_backward_bf16(capped + i * cols, cap, cols, gradient.bf16(row));
  });
}

namespace {

// Fixed, so that sums don't depend on the number of threads.
constexpr std::ptrdiff_t chunk = 1 << 14;

std::ptrdiff_t chunks_of(std::size_t size) { return (static_cast<std::ptrdiff_t>(size) + chunk - 1) / chunk; }

}  // namespace

double norm_of(std::span<const float> x) {
  std::vector<double> sums(static_cast<std::size_t>(chunks_of(x.size())));
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t c = 0; c < std::ssize(sums); ++c)
    sums[static_cast<std::size_t>(c)] =
        kernels().training_rows.sum_squares(x.data() + c * chunk, std::min(chunk, std::ssize(x) - c * chunk));
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

void adam_step(const AdamOptions& options, std::span<const float> gradient, std::span<float> x, std::span<float> m,
               std::span<float> v) {
  LB_CHECK(gradient.size() == x.size() && m.size() == x.size() && v.size() == x.size() && options.step > 0);
  const auto correction = [&](double beta) {
    return static_cast<float>(1 / (1 - std::pow(beta, static_cast<double>(options.step))));
  };
  AdamStep step;
  step.rate = static_cast<float>(options.rate);
  step.beta1 = static_cast<float>(options.beta1);
  step.beta2 = static_cast<float>(options.beta2);
  step.epsilon = static_cast<float>(options.epsilon);
  step.decay = static_cast<float>(options.decay);
  step.correction1 = correction(options.beta1);
  step.correction2 = correction(options.beta2);
  step.gradient_factor = static_cast<float>(options.gradient_factor);
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t c = 0; c < chunks_of(x.size()); ++c) {
    const std::ptrdiff_t first = c * chunk, count = std::min(chunk, std::ssize(x) - first);
    kernels().training_rows.adam(step, count, gradient.data() + first, x.data() + first, m.data() + first,
                                 v.data() + first);
  }
}

}  // namespace layerboost
