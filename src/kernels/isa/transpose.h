// Transposing matrices of 32-bit words in registers.
#pragma once

#include "kernels/isa/simd.h"

namespace layerboost::LB_ISA {
namespace {

#if defined(__AVX512F__)
/// rows[i][j] <-> rows[j][i]
inline void transpose_square(Vec (&rows)[16]) {
  Vec a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    a[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const __m512d low = _mm512_castps_pd(a[i + j]), high = _mm512_castps_pd(a[i + j + 2]);
      b[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
      b[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
  }
  // b[4 g + c]: column c, c + 4, c + 8, c + 12 of rows 4 g .. 4 g + 3.
  for (int c = 0; c < 4; ++c) {
    const Vec even01 = _mm512_shuffle_f32x4(b[c], b[4 + c], 0x88), odd01 = _mm512_shuffle_f32x4(b[c], b[4 + c], 0xdd);
    const Vec even23 = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0x88),
              odd23 = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0xdd);
    rows[c] = _mm512_shuffle_f32x4(even01, even23, 0x88);
    rows[c + 4] = _mm512_shuffle_f32x4(odd01, odd23, 0x88);
    rows[c + 8] = _mm512_shuffle_f32x4(even01, even23, 0xdd);
    rows[c + 12] = _mm512_shuffle_f32x4(odd01, odd23, 0xdd);
  }
}
#else
/// rows[i][j] <-> rows[j][i]
inline void transpose_square(Vec (&rows)[8]) {
  Vec a[8], b[8];
  for (int i = 0; i < 8; i += 2) {
    a[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    a[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int j = 0; j < 2; ++j) {
      const __m256d low = _mm256_castps_pd(a[i + j]), high = _mm256_castps_pd(a[i + j + 2]);
      b[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
      b[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
    }
  }
  for (int c = 0; c < 4; ++c) {
    rows[c] = _mm256_permute2f128_ps(b[c], b[4 + c], 0x20);
    rows[c + 4] = _mm256_permute2f128_ps(b[c], b[4 + c], 0x31);
  }
}
#endif

/// to[j, i] = from[i, j] for [n, m] words; strides in words.
inline void transpose(const float* from, std::ptrdiff_t from_stride, int n, int m, float* to,
                      std::ptrdiff_t to_stride) {
  const int whole_n = n - n % kLanes, whole_m = m - m % kLanes;
  for (int i = 0; i < whole_n; i += kLanes) {
    for (int j = 0; j < whole_m; j += kLanes) {
      Vec rows[kLanes];
      for (int r = 0; r < kLanes; ++r) rows[r] = load(from + (i + r) * from_stride + j);
      transpose_square(rows);
      for (int r = 0; r < kLanes; ++r) store(to + (j + r) * to_stride + i, rows[r]);
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int j = i < whole_n ? whole_m : 0; j < m; ++j) {
      __builtin_memcpy(to + j * to_stride + i, from + i * from_stride + j, sizeof(float));
    }
  }
}

}  // namespace
}  // namespace layerboost::LB_ISA
