// Rows between the matrix products.
#include "kernels/isa/gate.h"
#include "kernels/isa/kernels.h"
#include "kernels/isa/simd.h"
#include "kernels/isa/soft_cap.h"
#include "kernels/isa/tail.h"

namespace layerboost::LB_ISA {
namespace {

inline float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

void rms_norm(const float* x, const float* weight, float eps, int n, float* out) {
  Vec squares0 = splat(0), squares1 = splat(0);
  int j = 0;
  for (; j + 2 * kLanes <= n; j += 2 * kLanes) {
    const Vec a = load(x + j), b = load(x + j + kLanes);
    squares0 = fma(a, a, squares0);
    squares1 = fma(b, b, squares1);
  }
  float rest = 0;
  for (; j < n; ++j) rest += x[j] * x[j];
  const float mean = (sum(add(squares0, squares1)) + rest) / static_cast<float>(n);
  const float inverse = 1.0f / square_root(mean + eps);

  const Vec factor = splat(inverse);
  for (j = 0; j + kLanes <= n; j += kLanes) store(out + j, mul(mul(load(x + j), factor), load(weight + j)));
  for (; j < n; ++j) out[j] = x[j] * inverse * weight[j];
}

void add_row(float* x, const float* y, float scale, int n) {
  const Vec factor = splat(scale);
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store(x + j, fma(load(y + j), factor, load(x + j)));
  for (; j < n; ++j) x[j] += y[j] * scale;
}

void add_bias(const float* y, float scale, const float* bias, int n, float* out) {
  const Vec factor = splat(scale);
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store(out + j, fma(load(y + j), factor, load(bias + j)));
  for (; j < n; ++j) out[j] = y[j] * scale + bias[j];
}

/// What is infinite becomes NaN.
void soft_cap_row(const float* y, float scale, float cap, int n, float* out) {
  const SoftCap cap_of(cap);
  const Vec factor = splat(scale);
  const auto capped = [&](const float* from) {
    const Vec x = mul(load(from), factor);
    return add(cap_of.of(cap_of.share(x)), sub(x, x));
  };
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store(out + j, capped(y + j));
  if (j == n) return;
  Tail<float> result;
  store(result.values, capped(tail_of(y + j, n - j).values));
  put_tail(result, n - j, out + j);
}

void scale_row(const float* x, float scale, int n, float* out) {
  const Vec factor = splat(scale);
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store(out + j, mul(load(x + j), factor));
  for (; j < n; ++j) out[j] = x[j] * scale;
}

template <Gate G>
inline Vec gated(Vec v) {
  // Bounded, as 2^128 would overflow; what is beyond comes to nothing either way.
  const Vec power = exp2(min(mul(GateOf<G>::z(v), splat(-kLog2E)), splat(126.0f)));
  return div(v, add(splat(1.0f), power));
}

template <Gate G>
void gate_mul(const float* gate, const float* up, float scale, int n, float* out) {
  const Vec factor = splat(scale);
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    store(out + j, mul(gated<G>(mul(load(gate + j), factor)), mul(load(up + j), factor)));
  }
  if (j == n) return;
  const auto g = tail_of(gate + j, n - j), u = tail_of(up + j, n - j);
  Tail<float> result;
  store(result.values, mul(gated<G>(mul(load(g.values), factor)), mul(load(u.values), factor)));
  put_tail(result, n - j, out + j);
}

void to_bf16(const float* x, int n, std::uint16_t* out) {
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store_bf16(out + j, load(x + j));
  if (j == n) return;
  Tail<std::uint16_t> result;
  store_bf16(result.values, load(tail_of(x + j, n - j).values));
  put_tail(result, n - j, out + j);
}

/// max |x|; not finite if one of them isn't.
float largest_size(const float* x, int n) {
  // Four at once: each maximum waits for the one before it.
  Vec best[4] = {splat(0), splat(0), splat(0), splat(0)};
  int j = 0;
  for (; j + 4 * kLanes <= n; j += 4 * kLanes) {
    for (int i = 0; i < 4; ++i) best[i] = max_size(best[i], load(x + j + i * kLanes));
  }
  for (; j + kLanes <= n; j += kLanes) best[0] = max_size(best[0], load(x + j));
  best[1] = max_size(best[1], load(tail_of(x + j, n - j).values));
  return largest_size(max_size(max_size(best[0], best[1]), max_size(best[2], best[3])));
}

/// out = x * factor, rounded.
void scale_to_int8(const float* x, float factor, int n, std::int8_t* out) {
  int j = 0;
  for (; j + kLanes <= n; j += kLanes) store_int8(out + j, mul(load(x + j), splat(factor)));
  if (j == n) return;
  Tail<std::int8_t> result;
  store_int8(result.values, mul(load(tail_of(x + j, n - j).values), splat(factor)));
  put_tail(result, n - j, out + j);
}

// A row whose largest number is below this counts as zero: the factor would overflow.
constexpr float kNothing = 1e-30f;

/// The scale of a row with what isn't a finite number isn't one either, and so are its products.
float to_int8(const float* x, int n, std::int8_t* out) {
  const float most = largest_size(x, n);
  const bool nothing = most < kNothing;
  scale_to_int8(x, nothing ? 0.0f : 127.0f / most, n, out);
  return nothing ? 1.0f : most / 127.0f;
}

std::uint16_t to_int8_kv(const float* x, int n, std::int8_t* out) {
  const float most = largest_size(x, n);
  Tail<std::uint16_t> rounded;
  store_bf16(rounded.values, splat(most < kNothing ? 1.0f : most / 127.0f));
  const std::uint16_t scale = rounded.values[0];
  const std::uint32_t bits = static_cast<std::uint32_t>(scale) << 16;
  float exact;
  __builtin_memcpy(&exact, &bits, sizeof exact);
  scale_to_int8(x, most < kNothing ? 0.0f : 1.0f / exact, n, out);
  return scale;
}

void rotate(float* x, const float* cosines, const float* sines, int half) {
  float* y = x + half;
  int i = 0;
  for (; i + kLanes <= half; i += kLanes) {
    const Vec a = load(x + i), b = load(y + i), c = load(cosines + i), s = load(sines + i);
    store(x + i, fnma(b, s, mul(a, c)));
    store(y + i, fma(a, s, mul(b, c)));
  }
  for (; i < half; ++i) {
    const float a = x[i], b = y[i];
    x[i] = a * cosines[i] - b * sines[i];
    y[i] = b * cosines[i] + a * sines[i];
  }
}

}  // namespace

/// The stages of the transform whose partners lie in one vector: lane i and lane i ^ 2^Bit.
template <int Bit>
Vec mix_lanes(Vec v) {
  if constexpr (Bit == kLaneBits) {
    return v;
  } else {
    static constexpr float signs[2] = {1, -1};
    float sign[kLanes];
    for (int i = 0; i < kLanes; ++i) sign[i] = signs[(i >> Bit) & 1];
    return mix_lanes<Bit + 1>(fma(v, load(sign), swap_lanes<Bit>(v)));
  }
}

/// Two stages of the transform: of a with b and c with d, then of those pairs with each other.
inline void mix_four(Vec& a, Vec& b, Vec& c, Vec& d) {
  const Vec a_plus_b = add(a, b), a_minus_b = sub(a, b), c_plus_d = add(c, d), c_minus_d = sub(c, d);
  a = add(a_plus_b, c_plus_d);
  b = add(a_minus_b, c_minus_d);
  c = sub(a_plus_b, c_plus_d);
  d = sub(a_minus_b, c_minus_d);
}

void hadamard(float* x, int n) {
  // 1 / sqrt(n), exact for even powers of two and rounded once for odd ones.
  float factor = 1;
  for (int size = n; size > 1; size /= 4) factor *= size == 2 ? 0.70710678f : 0.5f;
  for (int j = 0; j < n; j += kLanes) store(x + j, mix_lanes<0>(mul(load(x + j), splat(factor))));
  int step = kLanes;
  for (; 4 * step <= n; step *= 4) {
    for (int begin = 0; begin < n; begin += 4 * step) {
      for (int j = begin; j < begin + step; j += kLanes) {
        Vec a = load(x + j), b = load(x + j + step), c = load(x + j + 2 * step), d = load(x + j + 3 * step);
        mix_four(a, b, c, d);
        store(x + j, a);
        store(x + j + step, b);
        store(x + j + 2 * step, c);
        store(x + j + 3 * step, d);
      }
    }
  }
  if (step == n) return;
  for (int j = 0; j < step; j += kLanes) {
    const Vec a = load(x + j), b = load(x + j + step);
    store(x + j, add(a, b));
    store(x + j + step, sub(a, b));
  }
}

const RowKernels row_kernels = {
    rms_norm, add_row, add_bias,   soft_cap_row, scale_row, {gate_mul<Gate::silu>, gate_mul<Gate::gelu_tanh>},
    to_bf16,  to_int8, to_int8_kv, rotate,       hadamard};

}  // namespace layerboost::LB_ISA
