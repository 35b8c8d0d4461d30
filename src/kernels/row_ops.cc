#include "kernels/row_ops.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "kernels/dispatch.h"
#include "kernels/for_each_row.h"

namespace layerboost {
namespace {

/// Lets `make(float* row)` write row i in f32, then brings it to out's precision.
template <typename Make>
void write_row(const RowKernels& rows, const KernelScratch::Threads& threads, Activations& out, int i,
               const Make& make) {
  if (out.precision() == Precision::f32) return make(out.f32(i));
  ScratchStack::Frame frame(threads.mine());
  float* row = frame.take<float>(static_cast<std::size_t>(out.cols()));
  make(row);
  if (out.precision() == Precision::bf16) {
    rows.to_bf16(row, out.cols(), out.bf16(i));
  } else {
    out.scales()[i] = rows.to_int8(row, out.cols(), out.int8(i));
  }
}

const float* row_of(const Product& product, int i) {
  return product.data + static_cast<std::ptrdiff_t>(i) * product.cols;
}

float scale_of(const Product& product, int i) { return product.row_scale != nullptr ? product.row_scale[i] : 1.0f; }

std::ptrdiff_t source_row(std::span<const int> index, int i) {
  return index.empty() ? i : index[static_cast<std::size_t>(i)];
}

/// pack_activations() with a factor.
void pack_scaled(const RowKernels& rows, const float* x, Activations& out, float factor) {
  constexpr int part = 256;
  const int cols = out.cols();
  for_each_row(out.rows(), cols, [&](int i) {
    const float* source = x + static_cast<std::ptrdiff_t>(i) * cols;
    float scaled[part];
    switch (out.precision()) {
      case Precision::f32:
        rows.scale(source, factor, cols, out.f32(i));
        break;
      case Precision::bf16:
        for (int j = 0; j < cols; j += part) {
          const int count = std::min(part, cols - j);
          rows.scale(source + j, factor, count, scaled);
          rows.to_bf16(scaled, count, out.bf16(i) + j);
        }
        break;
      case Precision::int8:
        out.scales()[i] = factor * rows.to_int8(source, cols, out.int8(i));
        break;
    }
  });
}

}  // namespace

void rms_norm(const float* x, std::span<const int> index, const float* weight, float eps, Activations& out,
              KernelScratch& scratch) {
  LB_CHECK(index.empty() || static_cast<int>(index.size()) == out.rows());
  const RowKernels& rows = kernels().rows;
  const int cols = out.cols();
  const KernelScratch::Threads threads = scratch.threads();
  for_each_row(out.rows(), cols, [&](int i) {
    const float* source = x + source_row(index, i) * cols;
    write_row(rows, threads, out, i, [&](float* row) { rows.rms_norm(source, weight, eps, cols, row); });
  });
}

void add_rows(float* x, std::span<const int> index, const Product& y, float factor) {
  LB_CHECK(index.empty() || static_cast<int>(index.size()) == y.rows);
  const RowKernels& rows = kernels().rows;
  for_each_row(y.rows, y.cols, [&](int i) {
    rows.add(x + source_row(index, i) * y.cols, row_of(y, i), factor * scale_of(y, i), y.cols);
  });
}

void add_normed_rows(float* x, std::span<const int> index, const Product& y, const float* weight, float eps,
                     float factor, KernelScratch& scratch) {
  LB_CHECK(index.empty() || static_cast<int>(index.size()) == y.rows);
  const RowKernels& rows = kernels().rows;
  const KernelScratch::Threads threads = scratch.threads();
  for_each_row(y.rows, y.cols, [&](int i) {
    ScratchStack::Frame frame(threads.mine());
    float* const row = frame.take<float>(static_cast<std::size_t>(y.cols));
    rows.scale(row_of(y, i), scale_of(y, i), y.cols, row);
    rows.rms_norm(row, weight, eps, y.cols, row);
    rows.add(x + source_row(index, i) * y.cols, row, factor, y.cols);
  });
}

Product add_bias(const Product& y, const float* bias, float* out) {
  const RowKernels& rows = kernels().rows;
  for_each_row(y.rows, y.cols, [&](int i) {
    rows.add_bias(row_of(y, i), scale_of(y, i), bias, y.cols, out + static_cast<std::ptrdiff_t>(i) * y.cols);
  });
  return {out, nullptr, y.rows, y.cols};
}

Product soft_cap_rows(const Product& y, float cap, float* out) {
  const RowKernels& rows = kernels().rows;
  for_each_row(y.rows, y.cols, [&](int i) {
    rows.soft_cap(row_of(y, i), scale_of(y, i), cap, y.cols, out + static_cast<std::ptrdiff_t>(i) * y.cols);
  });
  return {out, nullptr, y.rows, y.cols};
}

void gate_mul(const Product& gate_up, Gate gate, int rotation, Activations& out, KernelScratch& scratch) {
  LB_CHECK(gate_up.rows == out.rows() && gate_up.cols == 2 * out.cols());
  const RowKernels& rows = kernels().rows;
  const int cols = out.cols();
  const KernelScratch::Threads threads = scratch.threads();
  for_each_row(out.rows(), 2 * cols, [&](int i) {
    const float* source = row_of(gate_up, i);
    write_row(rows, threads, out, i, [&](float* row) {
      rows.gate_mul[static_cast<int>(gate)](source, source + cols, scale_of(gate_up, i), cols, row);
      if (rotation > 0) rotate_row(row, cols, rotation);
    });
  });
}

void rotate_row(float* row, int size, int block) {
  LB_CHECK(block >= 16 && size % block == 0);
  for (int begin = 0; begin < size; begin += block) kernels().rows.hadamard(row + begin, block);
}

int rotation_block(int size) {
  int block = 1024;
  while (block >= 16 && size % block != 0) block /= 2;
  return block >= 16 ? block : 0;
}

void pack_activations(const float* x, Activations& out, float factor) {
  if (factor == 1)
    pack_rows(x, {}, out);
  else
    pack_scaled(kernels().rows, x, out, factor);
}

void pack_rows(const float* x, std::span<const int> index, Activations& out) {
  LB_CHECK(index.empty() || static_cast<int>(index.size()) == out.rows());
  const RowKernels& rows = kernels().rows;
  const int cols = out.cols();
  for_each_row(out.rows(), cols, [&](int i) {
    const float* source = x + source_row(index, i) * cols;
    switch (out.precision()) {
      case Precision::f32:
        std::copy_n(source, cols, out.f32(i));
        break;
      case Precision::bf16:
        rows.to_bf16(source, cols, out.bf16(i));
        break;
      case Precision::int8:
        out.scales()[i] = rows.to_int8(source, cols, out.int8(i));
        break;
    }
  });
}

void split_qkv(const Product& qkv, const QkvShape& shape, const RopeTable* rope, const int* positions, float* q,
               float* k, float* v, KernelScratch& scratch) {
  const int d = shape.head_size;
  LB_CHECK(d % 2 == 0 && qkv.cols == (shape.heads + 2 * shape.kv_heads) * d);
  const RowKernels& rows = kernels().rows;
  const KernelScratch::Threads threads = scratch.threads();

  for_each_row(qkv.rows, qkv.cols, [&](int i) {
    ScratchStack::Frame frame(threads.mine());
    const RopeRow turn = rope != nullptr ? rope->row(positions[i], frame) : RopeRow();
    const float scale = scale_of(qkv, i);
    const float* source = row_of(qkv, i);
    const float* bias = shape.bias;
    const auto take = [&](int heads, float* out, const float* norm, bool rotated) {
      const int width = heads * d;
      float* target = out + static_cast<std::ptrdiff_t>(i) * width;
      if (bias != nullptr) {
        rows.add_bias(source, scale, bias, width, target);
        bias += width;
      } else {
        rows.scale(source, scale, width, target);
      }
      source += width;
      if (norm != nullptr && shape.whole_norms) rows.rms_norm(target, norm, shape.norm_eps, width, target);
      for (int h = 0; h < heads; ++h, target += d) {
        if (norm != nullptr && !shape.whole_norms) rows.rms_norm(target, norm, shape.norm_eps, d, target);
        if (rotated) rows.rotate(target, turn.cosines + shape.rope_first, turn.sines + shape.rope_first, d / 2);
      }
    };
    take(shape.heads, q, shape.q_norm, rope != nullptr);
    take(shape.kv_heads, k, shape.k_norm, rope != nullptr);
    take(shape.kv_heads, v, nullptr, false);
  });
}

float log_sum_exp(const float* logits, float scale, int size) {
  float most = 0;
  const double sum = kernels().logits.sum_exp(logits, scale, size, &most);
  return static_cast<float>(static_cast<double>(most) + std::log(sum));
}

int argmax(const float* logits, int size) { return kernels().logits.argmax(logits, size); }

Divergence divergence(const std::uint16_t* p, const float* q_logits, float q_scale, float q_log_sum_exp, int size) {
  int best_p = 0, best_q = 0;
  const double kl = kernels().logits.divergence(p, q_logits, q_scale, q_log_sum_exp, size, &best_p, &best_q);
  return {static_cast<float>(kl), best_p == best_q};
}

void store_log_probs(const float* logits, float scale, float lse, int size, std::uint16_t* out) {
  kernels().logits.store_log_probs(logits, scale, lse, size, out);
}

}  // namespace layerboost
