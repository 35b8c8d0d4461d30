// Rows of logits: long (a vocabulary), read once from memory. Each block of kBlock numbers is read twice, the second
// time from L1.
#include "kernels/isa/kernels.h"
#include "kernels/isa/simd.h"
#include "kernels/isa/tail.h"

namespace layerboost::LB_ISA {
namespace {

constexpr int kBlock = 512;  // short enough for f32 sums: 512 / 32 terms per lane
constexpr float kLowest = -3.0e38f;

inline int smaller(int a, int b) { return a < b ? a : b; }

/// The largest of x[0..n).
inline float largest_of(const float* x, int n) {
  Vec a = splat(kLowest), b = a;
  int j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    a = max(a, load(x + j));
    b = max(b, load(x + j + kLanes));
  }
  float most = largest(max(a, b));
  for (; j < n; ++j) most = x[j] > most ? x[j] : most;
  return most;
}

/// The first index of `value` in x[0..n), which has it.
inline int find(const float* x, int n, float value) {
  const Vec wanted = splat(value);
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    const unsigned hits = equal_bits(load(x + j), wanted);
    if (hits != 0) return j + __builtin_ctz(hits);
  }
  while (j < n - 1 && x[j] != value) ++j;
  return j;
}

/// sum_j exp(scale * x[j] - most)
inline float block_sum_exp(const float* x, int n, float scale, float most) {
  const Vec factor = splat(scale * kLog2E), offset = splat(-most * kLog2E);
  Vec a = splat(0), b = splat(0);
  int j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    a = add(a, exp2(fma(load(x + j), factor, offset)));
    b = add(b, exp2(fma(load(x + j + kLanes), factor, offset)));
  }
  for (; j < n; j += kLanes) {
    // Fill with what is far below the largest.
    const Vec x_rest = load(tail_of(x + j, smaller(n - j, kLanes), scale > 0 ? kLowest / 2 : -kLowest / 2).values);
    a = add(a, exp2(fma(x_rest, factor, offset)));
  }
  return sum(add(a, b));
}

/// Below it are logits of what can't be sampled (-1e30), and none that a model computes.
constexpr float kFar = -1.0e20f;

/// sum_j exp(scale * (x[j] - most)): as block_sum_exp() where numbers are so large that what is lost by rounding one
/// product is more than all that may be between two logits.
inline float block_sum_exp_far(const float* x, int n, float scale, float most) {
  Vec total = splat(0);
  for (int j = 0; j < n; j += kLanes) {
    const Vec part = load(tail_of(x + j, smaller(n - j, kLanes), scale > 0 ? kLowest / 2 : -kLowest / 2).values);
    total = add(total, exp2(mul(sub(part, splat(most)), splat(scale * kLog2E))));
  }
  return sum(total);
}

double sum_exp(const float* logits, float scale, int n, float* most) {
  float running = kLowest, running_logit = kLowest;
  double total = 0;
  for (int begin = 0; begin < n; begin += kBlock) {
    const int count = smaller(kBlock, n - begin);
    const float block_logit = largest_of(logits + begin, count), block_most = scale * block_logit;
    if (block_most > running) {
      total *= static_cast<double>(sum(exp(splat(running - block_most))) / static_cast<float>(kLanes));
      running = block_most;
      running_logit = block_logit;
    }
    total += static_cast<double>(running < kFar ? block_sum_exp_far(logits + begin, count, scale, running_logit)
                                                : block_sum_exp(logits + begin, count, scale, running));
  }
  *most = running;
  return total;
}

/// The largest of x[0..n); adds NaN to `spoilt` if one of them isn't a finite number.
inline float largest_finite_of(const float* x, int n, float& spoilt) {
  const Vec zero = splat(0);
  Vec a = splat(kLowest), b = a, spoilt_a = zero, spoilt_b = zero;
  int j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    const Vec u = load(x + j), v = load(x + j + kLanes);
    a = max(a, u);
    b = max(b, v);
    spoilt_a = fma(u, zero, spoilt_a);
    spoilt_b = fma(v, zero, spoilt_b);
  }
  float most = largest(max(a, b));
  spoilt += sum(add(spoilt_a, spoilt_b));
  for (; j < n; ++j) {
    most = x[j] > most ? x[j] : most;
    spoilt += x[j] * 0.0f;
  }
  return most;
}

int argmax(const float* logits, int n) {
  float best = kLowest, spoilt = 0;
  int best_block = 0;
  for (int begin = 0; begin < n; begin += kBlock) {
    const float most = largest_finite_of(logits + begin, smaller(kBlock, n - begin), spoilt);
    if (most > best) {
      best = most;
      best_block = begin;
    }
  }
  if (spoilt != 0) return -1;
  return best_block + find(logits + best_block, smaller(kBlock, n - best_block), best);
}

struct BlockDivergence {
  float kl, most_p, most_q;
};

inline BlockDivergence block_divergence(const std::uint16_t* log_p, const float* logits, float scale, float lse,
                                        int n) {
  const Vec factor = splat(scale), offset = splat(lse), to_base2 = splat(kLog2E);
  Vec kl = splat(0), most_p = splat(kLowest), most_q = splat(kLowest);
  for (int j = 0; j < n; j += kLanes) {
    Vec p, q;
    if (j + kLanes <= n) {
      p = load_half(log_p + j);
      q = load(logits + j);
    } else {
      // The filling repeats the last number for the maxima; its share of the sum is taken out below.
      p = load_half(tail_of(log_p + j, n - j, log_p[n - 1]).values);
      q = load(tail_of(logits + j, n - j, logits[n - 1]).values);
    }
    most_p = max(most_p, p);
    most_q = max(most_q, q);
    Vec term = mul(exp2(mul(p, to_base2)), sub(add(p, offset), mul(q, factor)));
    if (j + kLanes > n) {
      Tail<float> terms;
      store(terms.values, term);
      term = load(tail_of(terms.values, n - j).values);
    }
    kl = add(kl, term);
  }
  return {sum(kl), largest(most_p), largest(most_q)};
}

/// The first index of `value` among the half floats.
inline int find_half(const std::uint16_t* x, int n, float value) {
  const Vec wanted = splat(value);
  for (int j = 0; j < n; j += kLanes) {
    const Vec v = load_half(j + kLanes <= n ? x + j : tail_of(x + j, n - j, x[n - 1]).values);
    const unsigned hits = equal_bits(v, wanted);
    if (hits != 0) return smaller(j + __builtin_ctz(hits), n - 1);
  }
  return n - 1;
}

double divergence(const std::uint16_t* log_p, const float* logits, float scale, float lse, int n, int* best_p,
                  int* best_q) {
  double kl = 0;
  float most_p = kLowest, most_q = kLowest;
  int block_p = 0, block_q = 0;
  for (int begin = 0; begin < n; begin += kBlock) {
    const BlockDivergence block =
        block_divergence(log_p + begin, logits + begin, scale, lse, smaller(kBlock, n - begin));
    kl += static_cast<double>(block.kl);
    if (block.most_p > most_p) {
      most_p = block.most_p;
      block_p = begin;
    }
    if (block.most_q > most_q) {
      most_q = block.most_q;
      block_q = begin;
    }
  }
  *best_p = block_p + find_half(log_p + block_p, smaller(kBlock, n - block_p), most_p);
  *best_q = block_q + find(logits + block_q, smaller(kBlock, n - block_q), most_q);
  return kl;
}

void store_log_probs(const float* logits, float scale, float lse, int n, std::uint16_t* out) {
  const Vec factor = splat(scale), offset = splat(-lse);
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store_half(out + j, fma(load(logits + j), factor, offset));
  if (j == n) return;
  Tail<std::uint16_t> result;
  store_half(result.values, fma(load(tail_of(logits + j, n - j).values), factor, offset));
  put_tail(result, n - j, out + j);
}

}  // namespace

const LogitKernels logit_kernels = {sum_exp, argmax, divergence, store_log_probs};

}  // namespace layerboost::LB_ISA
