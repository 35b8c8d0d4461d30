// A vector of f32 of the level being compiled: 16 lanes with AVX-512, 8 with AVX2. Everything has internal linkage (see
// kernels.h).
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace layerboost::LB_ISA {
namespace {

#if defined(__AVX512F__)

using Vec = __m512;
using Mask = __mmask16;
constexpr int kLanes = 16;

inline Vec splat(float x) { return _mm512_set1_ps(x); }
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec div(Vec a, Vec b) { return _mm512_div_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
/// c - a * b
inline Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }
inline Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec abs(Vec a) { return _mm512_abs_ps(a); }
inline Vec round_even(Vec a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// a * 2^n for a whole n; underflows to zero.
inline Vec scale_by_power(Vec a, Vec n) { return _mm512_scalef_ps(a, n); }
/// max(a, |b|) for a >= 0; NaN stays in the lane, because its bits are the largest of all.
inline Vec max_size(Vec a, Vec b) {
  return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(abs(b))));
}
/// The largest lane of what max_size() gives; NaN if there is one.
inline float largest_size(Vec a) {
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(_mm512_reduce_max_epi32(_mm512_castps_si512(a)))));
}
inline float sum(Vec a) { return _mm512_reduce_add_ps(a); }
inline float largest(Vec a) { return _mm512_reduce_max_ps(a); }
/// Bit i: a[i] == b[i].
inline unsigned equal_bits(Vec a, Vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
inline Vec load_half(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline void store_half(std::uint16_t* p, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void store_bf16(std::uint16_t* p, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
}
inline Vec load_bf16(const std::uint16_t* p) {
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
inline void store_int8(std::int8_t* p, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(v)));
}

/// Lane i gets lane i ^ 2^Bit.
template <int Bit>
inline Vec swap_lanes(Vec a) {
  if constexpr (Bit == 0) return _mm512_permute_ps(a, 0xB1);
  if constexpr (Bit == 1) return _mm512_permute_ps(a, 0x4E);
  if constexpr (Bit == 2) return _mm512_shuffle_f32x4(a, a, 0xB1);
  if constexpr (Bit == 3) return _mm512_shuffle_f32x4(a, a, 0x4E);
}
constexpr int kLaneBits = 4;

#else

using Vec = __m256;
constexpr int kLanes = 8;

inline Vec splat(float x) { return _mm256_set1_ps(x); }
inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec sub(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
inline Vec mul(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec div(Vec a, Vec b) { return _mm256_div_ps(a, b); }
inline Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
/// c - a * b
inline Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
inline Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline Vec abs(Vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
inline Vec round_even(Vec a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// a * 2^n for a in about [0.7, 1.5] and a whole n <= 127; below the smallest normal number: zero. NaN stays NaN.
inline Vec scale_by_power(Vec a, Vec n) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
  const Vec scaled = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), exponent));
  return _mm256_and_ps(scaled, _mm256_cmp_ps(n, _mm256_set1_ps(-125.0f), _CMP_NLT_UQ));
}
inline Vec max_size(Vec a, Vec b) {
  return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(abs(b))));
}
inline float largest_size(Vec a) {
  const __m256i bits = _mm256_castps_si256(a);
  __m128i x = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
  x = _mm_max_epi32(x, _mm_unpackhi_epi64(x, x));
  return _mm_cvtss_f32(_mm_castsi128_ps(_mm_max_epi32(x, _mm_shuffle_epi32(x, 0x55))));
}
inline float sum(Vec a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
inline float largest(Vec a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}
/// Bit i: a[i] == b[i].
inline unsigned equal_bits(Vec a, Vec b) {
  return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)));
}
inline Vec load_half(const std::uint16_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline void store_half(std::uint16_t* p, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
/// The bits of v rounded to nearest even at the 16th, in the upper half of each lane. Not for NaN.
inline __m256i rounded_to_bf16(Vec v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  return _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
}
inline void store_bf16(std::uint16_t* p, Vec v) {
  const __m256i high = _mm256_srli_epi32(rounded_to_bf16(v), 16);
  const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}
inline Vec load_bf16(const std::uint16_t* p) {
  const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
inline void store_int8(std::int8_t* p, Vec v) {
  const __m256i whole = _mm256_cvtps_epi32(v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}

/// Lane i gets lane i ^ 2^Bit.
template <int Bit>
inline Vec swap_lanes(Vec a) {
  if constexpr (Bit == 0) return _mm256_permute_ps(a, 0xB1);
  if constexpr (Bit == 1) return _mm256_permute_ps(a, 0x4E);
  if constexpr (Bit == 2) return _mm256_permute2f128_ps(a, a, 0x01);
}
constexpr int kLaneBits = 3;

#endif

/// 2^x to about 1e-7 relative, for finite x <= 127; from about -126 downwards zero.
inline Vec exp2_of_finite(Vec x) {
  const Vec n = round_even(x);
  const Vec r = sub(x, n);
  // The polynomial of degree 5 with 2^0 = 1 whose largest relative error on |r| <= 1/2, 9.2e-8, is least.
  Vec p = splat(1.326491191e-3f);
  p = fma(p, r, splat(9.671515175e-3f));
  p = fma(p, r, splat(5.550733182e-2f));
  p = fma(p, r, splat(2.402224204e-1f));
  p = fma(p, r, splat(6.931469779e-1f));
  p = fma(p, r, splat(1.0f));
  return scale_by_power(p, n);
}

/// The same for -infinity, too. What isn't a number stays so: max() gives its second operand then.
inline Vec exp2(Vec x) { return exp2_of_finite(max(splat(-200.0f), x)); }

constexpr float kLog2E = 1.44269504088896341f;

/// x - n ln 2.
inline Vec exp_remainder(Vec x, Vec n) {
  // ln 2 in two parts: the first has few enough bits for exact products.
  return fnma(n, splat(-2.12194440e-4f), fnma(n, splat(0.693359375f), x));
}

/// p with e^r = 1 + r + p r^2 for |r| <= ln(2) / 2: Cephes' expf (Moshier).
inline Vec exp_polynomial(Vec r) {
  Vec p = splat(1.9875691500e-4f);
  p = fma(p, r, splat(1.3981999507e-3f));
  p = fma(p, r, splat(8.3334519073e-3f));
  p = fma(p, r, splat(4.1665795894e-2f));
  p = fma(p, r, splat(1.6666665459e-1f));
  return fma(p, r, splat(5.0000001201e-1f));
}

/// e^x to about 1e-7 relative, for x <= 88; from about -87 downwards zero.
inline Vec exp(Vec x) {
  const Vec bounded = max(x, splat(-150.0f));
  const Vec n = round_even(mul(bounded, splat(kLog2E)));
  const Vec r = exp_remainder(bounded, n);
  const Vec p = fma(exp_polynomial(r), mul(r, r), add(r, splat(1.0f)));
  return scale_by_power(p, n);
}

/// tanh x to about 3e-7 relative, also near 0.
inline Vec tanh(Vec x) {
  // t / (t + 2) with t = e^2x - 1 = 2^n (e^r - 1) + (2^n - 1). Beyond 10 it is 1. NaN stays so, as in exp2().
  const Vec doubled = max(splat(-20.0f), min(splat(20.0f), add(x, x)));
  const Vec n = round_even(mul(doubled, splat(kLog2E)));
  const Vec r = exp_remainder(doubled, n), power = scale_by_power(splat(1.0f), n);
  const Vec t = fma(power, fma(exp_polynomial(r), mul(r, r), r), sub(power, splat(1.0f)));
  return div(t, add(t, splat(2.0f)));
}

}  // namespace
}  // namespace layerboost::LB_ISA
