// Right operands of products (see dot.h) from vectors of f32: words of one f32, or of two bf16 that follow each other
// along the sum.
#pragma once

#include "kernels/isa/dot.h"

namespace layerboost::LB_ISA {
namespace {

alignas(64) constexpr float kCounting[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

#if defined(__AVX512F__)
/// v where first <= at <= last, zero elsewhere.
inline Vec keep_between(Vec v, Vec at, Vec first, Vec last) {
  const __mmask16 kept = _mm512_cmp_ps_mask(at, first, _CMP_GE_OQ) & _mm512_cmp_ps_mask(at, last, _CMP_LE_OQ);
  return _mm512_maskz_mov_ps(kept, v);
}
/// Words with `low` rounded to bf16 in the lower halves and `high` in the upper.
inline void store_pairs(float* p, Vec low, Vec high) {
  const __m512i a = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(low)));
  const __m512i b = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(high)));
  _mm512_storeu_si512(p, _mm512_or_si512(a, _mm512_slli_epi32(b, 16)));
}
#else
inline Vec keep_between(Vec v, Vec at, Vec first, Vec last) {
  return _mm256_and_ps(v, _mm256_and_ps(_mm256_cmp_ps(at, first, _CMP_GE_OQ), _mm256_cmp_ps(at, last, _CMP_LE_OQ)));
}
inline void store_pairs(float* p, Vec low, Vec high) {
  const __m256i a = _mm256_srli_epi32(rounded_to_bf16(low), 16);
  const __m256i b = _mm256_and_si256(rounded_to_bf16(high), _mm256_set1_epi32(~0xffff));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_or_si256(a, b));
}
#endif

/// A vector of words along columns, the first and (if Dot takes two at a time) the second number of each.
template <typename Dot>
void put_vector_words(Vec first, Vec second, float* words) {
  if constexpr (Dot::kStep == 1) {
    store(words, first);
  } else {
    store_pairs(words, first, second);
  }
}

/// Words along column c on of step rows, `stride` apart.
template <typename Dot>
void put_words(const float* rows, std::ptrdiff_t stride, int c, float* words) {
  put_vector_words<Dot>(load(rows + c), load(rows + (Dot::kStep - 1) * stride + c), words);
}

/// Words along a row itself: [n / step].
template <typename Dot>
void put_row_words(const float* row, int n, float* words) {
  for (int c = 0; c < n; c += kLanes) {
    if constexpr (Dot::kStep == 1) {
      store(words + c, load(row + c));
    } else {
      store_bf16(reinterpret_cast<std::uint16_t*>(words) + c, load(row + c));
    }
  }
}

}  // namespace
}  // namespace layerboost::LB_ISA
