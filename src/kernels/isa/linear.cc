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

/// out[j] = function(j-th vectors of a and b), n numbers.
template <typename Function>
void by_vectors(const float* a, const float* b, int n, float* out, const Function& function) {
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store(out + j, function(load(a + j), load(b + j)));
  if (j == n) return;
  Tail<float> tail;
  store(tail.values, function(load(tail_of(a + j, n - j).values), load(tail_of(b + j, n - j).values)));
  put_tail(tail, n - j, out + j);
}

void times_exp(const float* x, const float* logs, float sign, float factor, int n, float* out) {
  by_vectors(x, logs, n, out,
             [&](Vec value, Vec log) { return mul(mul(splat(factor), value), exp(mul(splat(sign), log))); });
}

/// log(1 + y) for 0 <= y <= 1: 2 artanh(y / (2 + y)) by its series, to about 2e-8 relative.
Vec log1p(Vec y) {
  const Vec s = div(y, add(splat(2.0f), y)), t = mul(s, s);
  Vec p = splat(1.0f / 15);
#pragma GCC unroll 7
  for (int odd = 13; odd >= 1; odd -= 2) p = fma(p, t, splat(1.0f / static_cast<float>(odd)));
  return mul(mul(splat(2.0f), s), p);
}

void log_gates(const float* z, const float* bias, float factor, float least, int n, float* out) {
  by_vectors(z, bias, n, out, [&](Vec logit, Vec shift) {
    const Vec own = add(logit, shift);
    const Vec log_sigmoid = sub(min(own, splat(0)), log1p(exp(sub(splat(0), abs(own)))));
    return max(splat(least), mul(splat(factor), log_sigmoid));
  });
}

/// N vectors of all rows, R heads from `first` on; with Update they are changed before they are read.
template <int R, int N, bool Update>
void step_columns(const StateStep& step, int first, int column) {
  Vec v[N], sums[R][N];
  float* state = step.state + column;
  const float* const q = step.q + std::ptrdiff_t{first} * step.d;
  float* const out = step.out + std::ptrdiff_t{first} * step.width + column;
  for (int n = 0; n < N; ++n) v[n] = load(step.v + column + n * kLanes);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
      sums[r][n] = step.accumulate ? load(out + std::ptrdiff_t{r} * step.width + n * kLanes) : splat(0);
  }
  for (int i = 0; i < step.d; ++i, state += step.width) {
    Vec row[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      row[n] = load(state + n * kLanes);
      if (!Update) continue;
      row[n] = fma(splat(step.k[i]), v[n], mul(splat(step.gates[i]), row[n]));
      store(state + n * kLanes, row[n]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const Vec own = splat(q[std::ptrdiff_t{r} * step.d + i]);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sums[r][n] = fma(own, row[n], sums[r][n]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) store(out + std::ptrdiff_t{r} * step.width + n * kLanes, sums[r][n]);
  }
}

template <int R, bool Update>
void step_heads(const StateStep& step, int first) {
#if defined(__AVX512F__)
  constexpr int kMost = 4;  // vectors of a row at a time: 64 numbers, a whole row of most models
#else
  constexpr int kMost = 2;
#endif
  int column = 0;
  for (; column + kMost * kLanes <= step.width; column += kMost * kLanes)
    step_columns<R, kMost, Update>(step, first, column);
  for (; column < step.width; column += kLanes) step_columns<R, 1, Update>(step, first, column);
}

template <bool Update>
void step_some(const StateStep& step, int first, int heads) {
  switch (heads) {
    case 1:
      return step_heads<1, Update>(step, first);
    case 2:
      return step_heads<2, Update>(step, first);
    case 3:
      return step_heads<3, Update>(step, first);
    default:
      return step_heads<4, Update>(step, first);
  }
}

void state_step(const StateStep& step) {
  for (int first = 0; first < step.heads; first += 4) {
    const int heads = step.heads - first < 4 ? step.heads - first : 4;
    first == 0 ? step_some<true>(step, first, heads) : step_some<false>(step, first, heads);
  }
}

}  // namespace

const LinearKernels linear_kernels = {multiply, transpose, features, decay_row, times_exp, log_gates, state_step};

}  // namespace layerboost::LB_ISA
