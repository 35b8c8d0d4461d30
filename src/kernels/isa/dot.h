// The micro-kernel of attention: C [rows, n] += A [rows, k] * B [k, n], for scores (A = queries, B = keys) and for
// outputs (A = probabilities, B = values) alike. A column of B is one f32, or a pair of bf16 or of int8 that follow
// each other along k.
#pragma once

#include "kernels/isa/simd.h"

namespace layerboost::LB_ISA {
namespace {

/// Sums that are kept as they are handed out.
struct FloatSums {
  using Sum = Vec;
  static constexpr bool kScaled = false;  // whether A's rows have factors
  static constexpr int kColumn = 4;       // bytes of one of B's columns in a step

  static Sum begin(const float* c, bool accumulate) { return accumulate ? load(c) : splat(0); }
  static void end(float* c, Sum sum, bool /*accumulate*/, float /*factor*/) { store(c, sum); }
};

/// f32 cache: one product per column and step.
struct DotF32 : FloatSums {
  using A = float;  // how A's numbers are kept
  using Left = Vec;
  using Right = Vec;
  static constexpr int kStep = 1;  // numbers along k per step
#if defined(__AVX512F__)
  static constexpr int kRows = 6, kCols = 4;  // the block of C that stays in registers
#else
  static constexpr int kRows = 6, kCols = 2;
#endif

  static void put(A* p, Vec v) { store(p, v); }
  static Left left(const A* p) { return splat(*p); }
  static Right right(const std::byte* p) { return load(reinterpret_cast<const float*>(p)); }
  static Vec dot(Vec c, Left a, Right b) { return fma(a, b, c); }
};

#if defined(__AVX512BF16__)

/// bf16 cache with the dot-product instruction.
struct DotBf16 : FloatSums {
  using A = std::uint16_t;
  using Left = __m512bh;
  using Right = __m512bh;
  static constexpr int kStep = 2;
  static constexpr int kRows = 6, kCols = 4;

  static void put(A* p, Vec v) { store_bf16(p, v); }
  static Left left(const A* p) {
    int pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
  }
  static Right right(const std::byte* p) { return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p)); }
  static Vec dot(Vec c, Left a, Right b) { return _mm512_dpbf16_ps(c, a, b); }
};

#else

/// bf16 cache without it: the pair's halves become two vectors of f32; A is kept as f32, rounded to bf16.
struct DotBf16 : FloatSums {
  using A = float;
  struct Left {
    Vec even, odd;
  };
  struct Right {
    Vec even, odd;
  };
  static constexpr int kStep = 2;
  static constexpr int kRows = 4, kCols = 2;

  static void put(A* p, Vec v) {
    store(p, _mm256_castsi256_ps(_mm256_and_si256(rounded_to_bf16(v), _mm256_set1_epi32(~0xffff))));
  }
  static Left left(const A* p) { return {splat(p[0]), splat(p[1])}; }
  static Right right(const std::byte* p) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(~0xffff)))};
  }
  static Vec dot(Vec c, const Left& a, const Right& b) { return fma(a.odd, b.odd, fma(a.even, b.even, c)); }
};

#endif

/// int8 cache: whole numbers of 8 bits times those of 16 that stand for A's up to a factor per row, so that of the two
/// A loses next to nothing. Sums are exact: 127 * 32767 * 512 steps fit into 31 bits.
struct DotInt8 {
  using A = std::int16_t;
  static constexpr bool kScaled = true;
  static constexpr int kColumn = 2;
  static constexpr int kStep = 2;
  static constexpr float kMost = 32767.0f;  // of A
#if defined(__AVX512VNNI__)
  using Left = __m512i;
  using Right = __m512i;
  // Declared as __m512i, they would be kept in memory by GCC 12, as __m256i below copied in each step.
  using Sum [[gnu::vector_size(64)]] = int;
  static constexpr int kRows = 6, kCols = 4;

  static void put(A* p, Vec v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(v)));
  }
  static Left left(const A* p) { return _mm512_set1_epi32(pair(p)); }
  static Right right(const std::byte* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Sum dot(Sum c, Left a, Right b) {
    return reinterpret_cast<Sum>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(c), a, b));
  }
  static Sum begin(const float* /*c*/, bool /*accumulate*/) { return Sum{}; }
  static Vec numbers(Sum sum) { return _mm512_cvtepi32_ps(reinterpret_cast<__m512i>(sum)); }
#else
  using Left = __m256i;
  using Right = __m256i;
  using Sum [[gnu::vector_size(32)]] = int;
  static constexpr int kRows = 6, kCols = 2;

  static void put(A* p, Vec v) {
    const __m256i whole = _mm256_cvtps_epi32(v);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1)));
  }
  static Left left(const A* p) { return _mm256_set1_epi32(pair(p)); }
  static Right right(const std::byte* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Sum dot(Sum c, Left a, Right b) { return c + reinterpret_cast<Sum>(_mm256_madd_epi16(a, b)); }
  static Sum begin(const float* /*c*/, bool /*accumulate*/) { return Sum{}; }
  static Vec numbers(Sum sum) { return _mm256_cvtepi32_ps(reinterpret_cast<__m256i>(sum)); }
#endif
  static void end(float* c, Sum sum, bool accumulate, float factor) {
    store(c, accumulate ? fma(numbers(sum), splat(factor), load(c)) : mul(numbers(sum), splat(factor)));
  }

 private:
  static int pair(const A* p) {
    int both;
    __builtin_memcpy(&both, p, sizeof both);
    return both;
  }
};

/// C [R, N vectors] = or += A * B over `steps` steps. Strides: A and C in elements, B in bytes. Asks for the cache
/// lines at `ahead`, laid out as B is, as it goes. factors [R]: of A's rows, where Dot has some.
// Loops over the block's rows and columns are unrolled by order: otherwise GCC keeps a copy of the sums in memory.
template <typename Dot, int R, int N>
void block(const typename Dot::A* a, std::ptrdiff_t a_stride, const std::byte* b, std::ptrdiff_t b_stride, int steps,
           float* c, std::ptrdiff_t c_stride, bool accumulate, const std::byte* ahead, const float* factors) {
  typename Dot::Sum sums[R][N];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) sums[r][n] = Dot::begin(c + r * c_stride + n * kLanes, accumulate);
  }
  for (int step = 0; step < steps; ++step) {
    typename Dot::Right right[N];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) {
      constexpr int kVector = kLanes * Dot::kColumn;
      right[n] = Dot::right(b + n * kVector);
      if (n * kVector % 64 == 0) _mm_prefetch(reinterpret_cast<const char*>(ahead + n * kVector), _MM_HINT_T0);
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const typename Dot::Left left = Dot::left(a + r * a_stride);
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sums[r][n] = Dot::dot(sums[r][n], left, right[n]);
    }
    a += Dot::kStep;
    b += b_stride;
    ahead += b_stride;
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    const float factor = Dot::kScaled ? factors[r] : 1;
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n) Dot::end(c + r * c_stride + n * kLanes, sums[r][n], accumulate, factor);
  }
}

template <typename Dot>
using Block = void (*)(const typename Dot::A*, std::ptrdiff_t, const std::byte*, std::ptrdiff_t, int, float*,
                       std::ptrdiff_t, bool, const std::byte*, const float*);

/// The block for `rows` <= Dot::kRows and `cols` <= Dot::kCols vectors.
template <typename Dot>
Block<Dot> block_for(int rows, int cols) {
  if constexpr (Dot::kCols == 4) {
    static constexpr Block<Dot> kBlocks[6][4] = {
        {block<Dot, 1, 1>, block<Dot, 1, 2>, block<Dot, 1, 3>, block<Dot, 1, 4>},
        {block<Dot, 2, 1>, block<Dot, 2, 2>, block<Dot, 2, 3>, block<Dot, 2, 4>},
        {block<Dot, 3, 1>, block<Dot, 3, 2>, block<Dot, 3, 3>, block<Dot, 3, 4>},
        {block<Dot, 4, 1>, block<Dot, 4, 2>, block<Dot, 4, 3>, block<Dot, 4, 4>},
        {block<Dot, 5, 1>, block<Dot, 5, 2>, block<Dot, 5, 3>, block<Dot, 5, 4>},
        {block<Dot, 6, 1>, block<Dot, 6, 2>, block<Dot, 6, 3>, block<Dot, 6, 4>}};
    return kBlocks[rows - 1][cols - 1];
  } else {
    static constexpr Block<Dot> kBlocks[6][2] = {
        {block<Dot, 1, 1>, block<Dot, 1, 2>}, {block<Dot, 2, 1>, block<Dot, 2, 2>},
        {block<Dot, 3, 1>, block<Dot, 3, 2>}, {block<Dot, 4, 1>, block<Dot, 4, 2>},
        {block<Dot, 5, 1>, block<Dot, 5, 2>}, {block<Dot, 6, 1>, block<Dot, 6, 2>}};
    return kBlocks[rows - 1][cols - 1];
  }
}

/// C [rows, cols vectors] = or += A * B for rows <= Dot::kRows and any number of columns.
template <typename Dot>
void product(int rows, int cols, const typename Dot::A* a, std::ptrdiff_t a_stride, const std::byte* b,
             std::ptrdiff_t b_stride, int steps, float* c, std::ptrdiff_t c_stride, bool accumulate,
             const std::byte* ahead, const float* factors = nullptr) {
  const int parts = (cols + Dot::kCols - 1) / Dot::kCols;
  for (int part = 0; part < parts; ++part) {
    const int begin = cols * part / parts, end = cols * (part + 1) / parts;
    block_for<Dot>(rows, end - begin)(a, a_stride, b + begin * kLanes * Dot::kColumn, b_stride, steps,
                                      c + begin * kLanes, c_stride, accumulate, ahead + begin * kLanes * Dot::kColumn,
                                      factors);
  }
}

}  // namespace
}  // namespace layerboost::LB_ISA
