#include "kernels/low_rank.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"
#include "kernels/isa/low_rank.h"

namespace layerboost {
namespace {

const LowRankKernels& low_rank() {
  return &kernels() == &kernels_of(Isa::avx512) ? avx512::low_rank_kernels : avx2::low_rank_kernels;
}

std::size_t element(Precision precision) { return precision == Precision::f32 ? 4 : 2; }

/// The same rows from row `first` on.
template <typename Rows>
Rows from(Rows rows, int first, Precision precision) {
  using Byte =
      std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(rows.data)>>, const std::byte, std::byte>;
  rows.data = static_cast<Byte*>(rows.data) + first * rows.stride * static_cast<std::ptrdiff_t>(element(precision));
  return rows;
}

/// Packs B [k, cols] (b(i, j), zero from the given ends on) as LowRankProduct wants it.
template <typename Value>
void pack(Precision precision, int k, int cols, AlignedBuffer& out, const Value& b) {
  if (precision == Precision::f32) {
    auto* const target = out.reserve_as<float>(static_cast<std::size_t>(k) * static_cast<std::size_t>(cols));
#pragma omp parallel for schedule(static)
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < cols; ++j) target[static_cast<std::ptrdiff_t>(i) * cols + j] = b(i, j);
    return;
  }
  const int pairs = (k + 1) / 2;
  auto* const target =
      out.reserve_as<std::uint16_t>(2 * static_cast<std::size_t>(pairs) * static_cast<std::size_t>(cols));
#pragma omp parallel for schedule(static)
  for (int pair = 0; pair < pairs; ++pair)
    for (int j = 0; j < cols; ++j)
      for (int side = 0; side < 2; ++side)
        target[(static_cast<std::ptrdiff_t>(pair) * cols + j) * 2 + side] = to_bf16(b(2 * pair + side, j));
}

constexpr int row_block = 32;  // rows that a thread takes at a time

template <typename Body>
void for_row_blocks(int n, const Body& body) {
  const int blocks = (n + row_block - 1) / row_block;
#pragma omp parallel for schedule(static) if (blocks > 1)
  for (int i = 0; i < blocks; ++i) body(i * row_block, std::min(row_block, n - i * row_block));
}

}  // namespace

ThinMatrix::ThinMatrix(int rank, int cols, Precision precision) : rank_(rank), cols_(cols), precision_(precision) {
  LB_CHECK(rank > 0 && cols > 0 && cols % 16 == 0 && precision != Precision::int8);
}

void ThinMatrix::assign(const float* values, float factor) {
  const auto at = [&](int r, int j) {
    return r < rank_ ? factor * values[static_cast<std::ptrdiff_t>(r) * cols_ + j] : 0.0F;
  };
  pack(precision_, cols_, projected_cols(), down_, [&](int j, int r) { return at(r, j); });
  pack(precision_, rank_, cols_, up_, at);
}

void ThinMatrix::project(InputRows x, int n, OutputRows t) const {
  const bool bf16 = precision_ == Precision::bf16;
  const int wide = projected_cols();
  for_row_blocks(n, [&](int first, int count) {
    LowRankProduct task;
    task.bf16 = bf16;
    task.a = from(x, first, precision_).data;
    task.a_stride = x.stride;
    task.b = down_.data();
    task.b_stride = static_cast<std::ptrdiff_t>(wide) * 4;
    task.rows = count;
    task.cols = wide;
    task.steps = bf16 ? cols_ / 2 : cols_;
    if (!bf16) {
      task.c = static_cast<float*>(from(t, first, precision_).data);
      task.c_stride = t.stride;
      return low_rank().product(task);
    }
    thread_local AlignedBuffer sums;
    task.c = sums.reserve_as<float>(static_cast<std::size_t>(row_block) * static_cast<std::size_t>(wide));
    task.c_stride = wide;
    low_rank().product(task);
    for (int i = 0; i < count; ++i)
      kernels().rows.to_bf16(task.c + static_cast<std::ptrdiff_t>(i) * wide, wide,
                             static_cast<std::uint16_t*>(t.data) + (first + i) * t.stride);
  });
}

void ThinMatrix::expand(InputRows t, int n, float* y, std::ptrdiff_t y_stride) const {
  const bool bf16 = precision_ == Precision::bf16;
  for_row_blocks(n, [&](int first, int count) {
    LowRankProduct task;
    task.bf16 = bf16;
    task.a = from(t, first, precision_).data;
    task.a_stride = t.stride;
    task.b = up_.data();
    task.b_stride = static_cast<std::ptrdiff_t>(cols_) * 4;
    task.c = y + first * y_stride;
    task.c_stride = y_stride;
    task.rows = count;
    task.cols = cols_;
    task.steps = bf16 ? (rank_ + 1) / 2 : rank_;
    task.accumulate = true;
    low_rank().product(task);
  });
}

namespace {

/// out [rank][n rounded up to even] = factor t^T, zero beyond n.
template <typename T, typename Scale>
void transpose(const T* t, std::ptrdiff_t stride, int n, int rank, int padded, T* out, const Scale& scale) {
  for (int i = 0; i < padded; ++i)
    for (int r = 0; r < rank; ++r)
      out[static_cast<std::ptrdiff_t>(r) * padded + i] = i < n ? scale(t[i * stride + r]) : T{};
}

}  // namespace

void add_outer_products(InputRows t, InputRows x, int n, int rank, int cols, Precision precision, float factor,
                        float* g) {
  LB_CHECK(cols % 16 == 0 && precision != Precision::int8);
  const bool bf16 = precision == Precision::bf16;
  const int padded = (n + 1) / 2 * 2;
  thread_local AlignedBuffer transposed_buffer;
  std::byte* const transposed =
      transposed_buffer.reserve(static_cast<std::size_t>(rank) * static_cast<std::size_t>(padded) * 4);
  if (bf16)
    transpose(static_cast<const std::uint16_t*>(t.data), t.stride, n, rank, padded,
              reinterpret_cast<std::uint16_t*>(transposed),
              [&](std::uint16_t value) { return to_bf16(factor * from_bf16(value)); });
  else
    transpose(static_cast<const float*>(t.data), t.stride, n, rank, padded, reinterpret_cast<float*>(transposed),
              [&](float value) { return factor * value; });

  constexpr int strip =
      64;  // columns that a thread takes at a time: with 256 rows their bf16 fill most of the L1 cache
  const int strips = (cols + strip - 1) / strip;
#pragma omp parallel for schedule(static) if (strips > 1)
  for (int s = 0; s < strips; ++s) {
    const int first = s * strip, count = std::min(strip, cols - first);
    LowRankProduct task;
    task.bf16 = bf16;
    task.a = transposed;
    task.a_stride = padded;
    task.c = g + first;
    task.c_stride = cols;
    task.rows = rank;
    task.cols = count;
    task.accumulate = true;
    if (bf16) {
      thread_local AlignedBuffer pairs_buffer;
      auto* const pairs = pairs_buffer.reserve_as<std::uint16_t>(static_cast<std::size_t>(padded) * strip);
      const auto* const source = static_cast<const std::uint16_t*>(x.data) + first;
      const int even = n / 2 * 2;
      low_rank().interleave(source, x.stride, even, count, pairs);
      if (even < n)
        for (int j = 0; j < count; ++j) {
          pairs[(static_cast<std::ptrdiff_t>(even) / 2 * count + j) * 2] = source[even * x.stride + j];
          pairs[(static_cast<std::ptrdiff_t>(even) / 2 * count + j) * 2 + 1] = 0;
        }
      task.b = reinterpret_cast<const std::byte*>(pairs);
      task.b_stride = static_cast<std::ptrdiff_t>(count) * 4;
      task.steps = padded / 2;
    } else {
      task.b = reinterpret_cast<const std::byte*>(static_cast<const float*>(x.data) + first);
      task.b_stride = x.stride * 4;
      task.steps = n;
    }
    low_rank().product(task);
  }
}

}  // namespace layerboost
