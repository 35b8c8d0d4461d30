// Blocks of C stay in registers over all of k; B's part for a block is read again for each block of rows, from the
// first or second cache.
#include "kernels/isa/kernels.h"
#include "kernels/isa/simd.h"

namespace layerboost::LB_ISA {
namespace {

struct F32 {
  using A = float;
  static constexpr int kStep = 1;
  using Left = Vec;
  using Right = Vec;
  static Left left(const A* p) { return splat(*p); }
  static Right right(const std::byte* p) { return load(reinterpret_cast<const float*>(p)); }
  static Vec dot(Vec c, Left a, Right b) { return fma(a, b, c); }
};

#if defined(__AVX512BF16__)

struct Bf16 {
  using A = std::uint16_t;
  static constexpr int kStep = 2;
  using Left = __m512bh;
  using Right = __m512bh;
  static Left left(const A* p) {
    int pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
  }
  static Right right(const std::byte* p) { return reinterpret_cast<__m512bh>(_mm512_loadu_si512(p)); }
  static Vec dot(Vec c, Left a, Right b) { return _mm512_dpbf16_ps(c, a, b); }
};

#else

/// The pair's halves become two vectors of f32.
struct Bf16 {
  using A = std::uint16_t;
  static constexpr int kStep = 2;
  struct Left {
    Vec even, odd;
  };
  using Right = Left;
  static Left halves(__m256i pairs) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(~0xffff)))};
  }
  static Left left(const A* p) {
    int pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return halves(_mm256_set1_epi32(pair));
  }
  static Right right(const std::byte* p) { return halves(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
  static Vec dot(Vec c, const Left& a, const Right& b) { return fma(a.odd, b.odd, fma(a.even, b.even, c)); }
};

#endif

template <typename Dot, int R, int N>
void block(const LowRankProduct& t, int row, int col) {
  const auto* a = static_cast<const typename Dot::A*>(t.a) + row * t.a_stride;
  const std::byte* b = t.b + static_cast<std::ptrdiff_t>(col) * 4;
  float* const c = t.c + row * t.c_stride + col;
  Vec sums[R][N];
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) sums[r][n] = t.accumulate ? load(c + r * t.c_stride + n * kLanes) : splat(0);
  for (int step = 0; step < t.steps; ++step, a += Dot::kStep, b += t.b_stride) {
    typename Dot::Right right[N];
    for (int n = 0; n < N; ++n) right[n] = Dot::right(b + n * kLanes * 4);
    for (int r = 0; r < R; ++r) {
      const typename Dot::Left left = Dot::left(a + r * t.a_stride);
      for (int n = 0; n < N; ++n) sums[r][n] = Dot::dot(sums[r][n], left, right[n]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int n = 0; n < N; ++n) store(c + r * t.c_stride + n * kLanes, sums[r][n]);
}

/// N vectors of columns from `col` on, rows from `row` on to the end, R at a time.
template <typename Dot, int R, int N>
void rows_from(const LowRankProduct& t, int row, int col) {
  for (; row + R <= t.rows; row += R) block<Dot, R, N>(t, row, col);
  if constexpr (R > 1) rows_from<Dot, R / 2, N>(t, row, col);
}

#if defined(__AVX512F__)
constexpr int kRows[] = {0, 14, 10, 8, 6};
#else
constexpr int kRows[] = {0, 8, 4, 3, 2};
#endif

template <typename Dot>
void product_of(const LowRankProduct& t) {
  const int vectors = t.cols / kLanes;
  if (vectors <= 3) {
    if (vectors == 1) rows_from<Dot, kRows[1], 1>(t, 0, 0);
    if (vectors == 2) rows_from<Dot, kRows[2], 2>(t, 0, 0);
    if (vectors == 3) rows_from<Dot, kRows[3], 3>(t, 0, 0);
    return;
  }
  // Rows outside, so that C is walked as it lies in memory.
  constexpr int R = kRows[4];
  for (int row = 0; row < t.rows; row += R) {
    LowRankProduct part = t;
    part.rows = t.rows < row + R ? t.rows : row + R;
    int n = 0;
    for (; n + 4 <= vectors; n += 4) rows_from<Dot, R, 4>(part, row, n * kLanes);
    for (; n + 2 <= vectors; n += 2) rows_from<Dot, R, 2>(part, row, n * kLanes);
    for (; n < vectors; ++n) rows_from<Dot, R, 1>(part, row, n * kLanes);
  }
}

void product(const LowRankProduct& task) {
  if (task.bf16)
    product_of<Bf16>(task);
  else
    product_of<F32>(task);
}

void interleave(const std::uint16_t* x, std::ptrdiff_t stride, int rows, int cols, std::uint16_t* out) {
  for (int row = 0; row < rows; row += 2, x += 2 * stride) {
    for (int j = 0; j < cols; j += 16, out += 32) {
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + j));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + stride + j));
      const __m256i low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_permute2x128_si256(low, high, 0x20));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 16), _mm256_permute2x128_si256(low, high, 0x31));
    }
  }
}

}  // namespace

const LowRankKernels low_rank_kernels = {product, interleave};

}  // namespace layerboost::LB_ISA
