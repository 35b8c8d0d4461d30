// What linear attention is made of: small products, transposes and rows of features.
#include "kernels/isa/dot.h"
#include "kernels/isa/kernels.h"
#include "kernels/isa/tail.h"
#include "kernels/isa/transpose.h"

namespace layerboost::LB_ISA {
namespace {

constexpr float kNever = -1.0e30f;
constexpr float kLeastFeature = 1.0e-12f;

void multiply(const SmallProduct& p) {
  const auto* const b = reinterpret_cast<const std::byte*>(p.b);
  for (int row = 0; row < p.rows; row += DotF32::kRows) {
    const int rows = p.rows - row < DotF32::kRows ? p.rows - row : DotF32::kRows;
    product<DotF32>(rows, p.cols / kLanes, p.a + row * p.a_stride, p.a_stride, b, p.b_stride * 4, p.steps,
                    p.c + row * p.c_stride, p.c_stride, p.accumulate, b);
  }
}

/// out = max(1e-12, softmax(sign * u)), n numbers.
void softmax_of(const float* u, float sign, int n, float* out) {
  const auto part = [&](int j) {
    return n - j >= kLanes ? mul(load(u + j), splat(sign))
                           : mul(load(tail_of(u + j, n - j, sign * kNever).values), splat(sign));
  };
  Vec most = splat(kNever);
  for (int j = 0; j < n; j += kLanes) most = max(most, part(j));
  const Vec maximum = splat(largest(most));
  Vec total = splat(0);
  for (int j = 0; j < n; j += kLanes) total = add(total, exp(sub(part(j), maximum)));
  const Vec factor = splat(1.0f / sum(total));
  for (int j = 0; j < n; j += kLanes) {
    const Vec value = max(splat(kLeastFeature), mul(factor, exp(sub(part(j), maximum))));
    if (n - j >= kLanes) {
      store(out + j, value);
    } else {
      Tail<float> tail;
      store(tail.values, value);
      put_tail(tail, n - j, out + j);
    }
  }
}

void features(const float* u, int n, float* out) {
  softmax_of(u, 1, n, out);
  softmax_of(u, -1, n, out + n);
}

void decay_row(float* a, const float* logs, float own, int n) {
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store(a + j, mul(load(a + j), exp(sub(splat(own), load(logs + j)))));
  if (j == n) return;
  Tail<float> tail = tail_of(logs + j, n - j, own);
  store(tail.values, exp(sub(splat(own), load(tail.values))));
  for (int i = 0; j + i < n; ++i) a[j + i] *= tail.values[i];
}

}  // namespace

const LinearKernels linear_kernels = {multiply, transpose, features, decay_row};

}  // namespace layerboost::LB_ISA
