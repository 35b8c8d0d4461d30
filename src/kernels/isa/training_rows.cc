// Rows in training. Lengths need not be multiples of the vector's: the rest of a row is copied to a full vector.
#include "kernels/isa/gate.h"
#include "kernels/isa/kernels.h"
#include "kernels/isa/simd.h"
#include "kernels/isa/soft_cap.h"
#include "kernels/isa/tail.h"

namespace layerboost::LB_ISA {
namespace {

inline Vec square_root(Vec x) {
#if defined(__AVX512F__)
  return _mm512_sqrt_ps(x);
#else
  return _mm256_sqrt_ps(x);
#endif
}

inline Vec load(const std::uint16_t* p) {
#if defined(__AVX512F__)
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
#else
  const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
#endif
}
inline void store(std::uint16_t* p, Vec v) { store_bf16(p, v); }

/// One vector of a row, or what is left of the row.
template <typename T>
inline Vec load_part(const T* p, int count) {
  return count >= kLanes ? load(p) : load(tail_of(p, count).values);
}
template <typename T>
inline void store_part(T* p, Vec v, int count) {
  if (count >= kLanes) return store(p, v);
  Tail<T> tail;
  store(tail.values, v);
  put_tail(tail, count, p);
}

void rms_norm_backward(const float* x, const float* weight, const float* dy, float eps, int n, float* dx) {
  Vec squares = splat(0), dots = splat(0);
  for (int j = 0; j < n; j += kLanes) {
    const Vec a = load_part(x + j, n - j);
    squares = fma(a, a, squares);
    dots = fma(mul(load_part(dy + j, n - j), load_part(weight + j, n - j)), a, dots);
  }
  const float size = static_cast<float>(n);
  const float mean = sum(squares) / size + eps;
  const float inverse = 1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(mean)));
  // y = w x r, r = (mean(x^2) + eps)^(-1/2): dx = r (w dy) - x r^3 mean(w dy x)
  const Vec r = splat(inverse), c = splat(inverse / mean * sum(dots) / size);
  for (int j = 0; j < n; j += kLanes) {
    const Vec wdy = mul(load_part(dy + j, n - j), load_part(weight + j, n - j));
    const Vec d = fnma(load_part(x + j, n - j), c, mul(wdy, r));
    store_part(dx + j, add(load_part(dx + j, n - j), d), n - j);
  }
}

inline Vec sigmoid(Vec v) { return div(splat(1.0f), add(splat(1.0f), exp(min(sub(splat(0), v), splat(88.0f))))); }

template <Gate G, typename T>
void gate_mul_backward(const T* gate_up, const float* dy, int n, T* out, T* activated) {
  for (int j = 0; j < n; j += kLanes) {
    const int count = n - j;
    const Vec g = load_part(gate_up + j, count), u = load_part(gate_up + n + j, count), d = load_part(dy + j, count);
    const Vec s = sigmoid(GateOf<G>::z(g)), value = mul(g, s);
    // (g s(z(g)))' = s (1 + g (1 - s) z') = s + value (1 - s) z'
    const Vec slope = fma(mul(value, GateOf<G>::slope(g)), sub(splat(1.0f), s), s);
    store_part(activated + j, mul(value, u), count);
    store_part(out + j, mul(mul(d, u), slope), count);
    store_part(out + n + j, mul(d, value), count);
  }
}

template <Gate G>
void gate_mul_bf16(const float* gate_up, int n, std::uint16_t* kept, std::uint16_t* activated) {
  for (int j = 0; j < n; j += kLanes) {
    const int count = n - j;
    const Vec g = load_part(gate_up + j, count), u = load_part(gate_up + n + j, count);
    store_part(kept + j, g, count);
    store_part(kept + n + j, u, count);
    store_part(activated + j, mul(mul(g, sigmoid(GateOf<G>::z(g))), u), count);
  }
}

constexpr int kBlock = 512;  // numbers whose sum is kept in f32

template <typename T>
double logits_gradient(const float* teacher, const float* student, const LogitsGradient& how, int n, T* out) {
  const Vec lse_t = splat(how.teacher_lse), lse_s = splat(how.student_lse);
  const Vec weight_t = splat(how.scale * how.teacher_weight), weight_s = splat(how.scale * how.student_weight);
  double total = 0;
  for (int begin = 0; begin < n; begin += kBlock) {
    const int end = n < begin + kBlock ? n : begin + kBlock;
    Vec kl = splat(0);
    int j = begin;
    for (; j + kLanes <= end; j += kLanes) {
      const Vec log_t = sub(load(teacher + j), lse_t), log_s = sub(load(student + j), lse_s);
      const Vec p_t = exp(log_t), p_s = exp(log_s);
      kl = fma(p_t, sub(log_t, log_s), kl);
      store(out + j, fnma(p_t, weight_t, mul(p_s, weight_s)));
    }
    if (j < end) {
      // Filled with logits that are far below the others in both rows.
      const Vec log_t = sub(load(tail_of(teacher + j, end - j, -1e4f).values), lse_t);
      const Vec log_s = sub(load(tail_of(student + j, end - j, -1e4f).values), lse_s);
      const Vec p_t = exp(log_t), p_s = exp(log_s);
      kl = fma(p_t, sub(log_t, log_s), kl);
      store_part(out + j, fnma(p_t, weight_t, mul(p_s, weight_s)), end - j);
    }
    total += static_cast<double>(sum(kl));
  }
  return total;
}

template <typename T>
void soft_cap_backward(const float* capped, float cap, int n, T* gradient) {
  const Vec inverse = splat(1 / cap);
  for (int j = 0; j < n; j += kLanes) {
    const Vec slope = SoftCap::slope(mul(load_part(capped + j, n - j), inverse));
    store_part(gradient + j, mul(load_part(gradient + j, n - j), slope), n - j);
  }
}

double sum_squares(const float* x, std::ptrdiff_t n) {
  double total = 0;
  for (std::ptrdiff_t begin = 0; begin < n; begin += kBlock) {
    const int count = static_cast<int>(n - begin < kBlock ? n - begin : kBlock);
    Vec squares = splat(0);
    for (int j = 0; j < count; j += kLanes) {
      const Vec a = load_part(x + begin + j, count - j);
      squares = fma(a, a, squares);
    }
    total += static_cast<double>(sum(squares));
  }
  return total;
}

void adam(const AdamStep& step, std::ptrdiff_t n, const float* gradient, float* x, float* m, float* v) {
  const Vec beta1 = splat(step.beta1), rest1 = splat(1.0f - step.beta1);
  const Vec beta2 = splat(step.beta2), rest2 = splat(1.0f - step.beta2);
  const Vec rate = splat(step.rate * step.correction1), shrink = splat(1.0f - step.rate * step.decay);
  for (std::ptrdiff_t j = 0; j < n; j += kLanes) {
    const int count = static_cast<int>(n - j < kLanes ? n - j : kLanes);
    const Vec g = mul(load_part(gradient + j, count), splat(step.gradient_factor));
    const Vec first = fma(load_part(m + j, count), beta1, mul(g, rest1));
    const Vec second = fma(load_part(v + j, count), beta2, mul(mul(g, g), rest2));
    store_part(m + j, first, count);
    store_part(v + j, second, count);
    const Vec denominator = add(square_root(mul(second, splat(step.correction2))), splat(step.epsilon));
    const Vec change = div(mul(first, rate), denominator);
    store_part(x + j, sub(mul(load_part(x + j, count), shrink), change), count);
  }
}

}  // namespace

const TrainingRowKernels training_row_kernels = {
    rms_norm_backward,
    {gate_mul_backward<Gate::silu, float>, gate_mul_backward<Gate::gelu_tanh, float>},
    {gate_mul_backward<Gate::silu, std::uint16_t>, gate_mul_backward<Gate::gelu_tanh, std::uint16_t>},
    {gate_mul_bf16<Gate::silu>, gate_mul_bf16<Gate::gelu_tanh>},
    logits_gradient<float>,
    logits_gradient<std::uint16_t>,
    soft_cap_backward<float>,
    soft_cap_backward<std::uint16_t>,
    sum_squares,
    adam};

}  // namespace layerboost::LB_ISA
