#include "kernels/low_rank.h"

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"

namespace layerboost {
namespace {

// Numbers of x and y from which on several threads are worth their start.
constexpr std::ptrdiff_t worth_threads = 1 << 14;

/// Packs B [k, cols] as LowRankProduct wants it; an odd k is filled up with b(k, j).
template <typename Value>
void pack(Precision precision, int k, int cols, AlignedBuffer& out, const Value& b) {
  if (precision == Precision::f32) {
    auto* const target = out.reserve_as<float>(static_cast<std::size_t>(k) * static_cast<std::size_t>(cols));
    for (int i = 0; i < k; ++i)
      for (int j = 0; j < cols; ++j) target[static_cast<std::ptrdiff_t>(i) * cols + j] = b(i, j);
    return;
  }
  const int pairs = (k + 1) / 2;
  auto* const target =
      out.reserve_as<std::uint16_t>(2 * static_cast<std::size_t>(pairs) * static_cast<std::size_t>(cols));
  for (int pair = 0; pair < pairs; ++pair)
    for (int j = 0; j < cols; ++j)
      for (int side = 0; side < 2; ++side)
        target[(static_cast<std::ptrdiff_t>(pair) * cols + j) * 2 + side] = to_bf16(b(2 * pair + side, j));
}

}  // namespace

ThinMatrix::ThinMatrix(int rank, int cols, Precision precision) : rank_(rank), cols_(cols), precision_(precision) {
  LB_CHECK(rank > 0 && cols > 0 && cols % 16 == 0 && precision != Precision::int8);
}

void ThinMatrix::assign(const float* values, float factor) {
  const auto at = [&](int r, int j) {
    return r < rank_ ? factor * values[static_cast<std::ptrdiff_t>(r) * cols_ + j] : 0.0F;
  };
  pack(precision_, cols_, padded_rank(), down_, [&](int j, int r) { return at(r, j); });
  pack(precision_, rank_, cols_, up_, at);
}

int low_rank_columns(std::span<const ThinPart> parts) {
  int columns = 0;
  for (const ThinPart& part : parts) columns = std::max(columns, part.t_column + part.matrix->padded_rank());
  return (columns + 15) / 16 * 16;
}

namespace {

constexpr int row_block = 32;  // rows that a thread takes at a time

/// The work of an update on `count` rows from `first` on; T: float or bf16.
template <typename T>
class UpdateBlock {
 public:
  UpdateBlock(const LowRankUpdate& update, int columns, int first, int count, ScratchStack& scratch)
      : update_(update), columns_(columns), first_(first), count_(count), frame_(scratch) {
    const std::size_t size = static_cast<std::size_t>(row_block) * static_cast<std::size_t>(columns);
    sums_ = frame_.take<float>(size);
    if constexpr (bf16)
      t_ = frame_.take<T>(size);
    else
      t_ = sums_;
  }

  void run() {
    for (const ThinPart& part : update_.down) project(part);
    keep();
    for (const ThinPart& part : update_.up) expand(part);
  }

 private:
  static constexpr bool bf16 = sizeof(T) == 2;

  void project(const ThinPart& part) {
    const ThinMatrix& m = *part.matrix;
    LowRankProduct task;
    task.bf16 = bf16;
    task.a = static_cast<const T*>(update_.x) + first_ * update_.x_stride + part.column;
    task.a_stride = update_.x_stride;
    task.b = m.down();
    task.b_stride = static_cast<std::ptrdiff_t>(m.padded_rank()) * 4;
    task.c = sums_ + part.t_column;
    task.c_stride = columns_;
    task.rows = count_;
    task.cols = m.padded_rank();
    task.steps = bf16 ? m.cols() / 2 : m.cols();
    kernels().low_rank.product(task);
  }

  /// Rounds t, and leaves it transposed.
  void keep() {
    const ThinPart& last = update_.down.back();
    const int used = last.t_column + last.matrix->padded_rank();
    for (int i = 0; i < count_; ++i) {
      const float* const sums = sums_ + static_cast<std::ptrdiff_t>(i) * columns_;
      T* const row = t_ + static_cast<std::ptrdiff_t>(i) * columns_;
      if constexpr (bf16) kernels().rows.to_bf16(sums, used, row);
    }
    auto* const kept = static_cast<T*>(update_.kept);
    for (int r = 0; r < used; ++r) {
      T* const column = kept + static_cast<std::ptrdiff_t>(r) * low_rank_rows + first_;
      for (int i = 0; i < count_; ++i) {
        const T value = t_[static_cast<std::ptrdiff_t>(i) * columns_ + r];
        if constexpr (bf16)
          column[i] = update_.t_factor == 1 ? value : to_bf16(update_.t_factor * from_bf16(value));
        else
          column[i] = update_.t_factor * value;
      }
      if (count_ % 2 != 0) column[count_] = T{};  // products of pairs read one more
    }
  }

  void expand(const ThinPart& part) {
    const ThinMatrix& m = *part.matrix;
    LowRankProduct task;
    task.bf16 = bf16;
    task.a = t_ + part.t_column;
    task.a_stride = columns_;
    task.b = m.up();
    task.b_stride = static_cast<std::ptrdiff_t>(m.cols()) * 4;
    task.c = update_.y + first_ * update_.y_stride + part.column;
    task.c_stride = update_.y_stride;
    task.rows = count_;
    task.cols = m.cols();
    task.steps = bf16 ? (m.rank() + 1) / 2 : m.rank();
    task.accumulate = true;
    kernels().low_rank.product(task);
  }

  const LowRankUpdate& update_;
  const int columns_, first_, count_;
  ScratchStack::Frame frame_;
  float* sums_ = nullptr;  // [row_block, columns]
  T* t_ = nullptr;         // likewise, rounded
};

}  // namespace

void low_rank_update(const LowRankUpdate& update, KernelScratch& scratch) {
  LB_CHECK(update.n <= low_rank_rows && !update.down.empty());
  const bool bf16 = update.down.front().matrix->precision() == Precision::bf16;
  const int columns = low_rank_columns(update.down), blocks = (update.n + row_block - 1) / row_block;
  std::ptrdiff_t numbers = 0;
  for (const auto parts : {update.down, update.up})
    for (const ThinPart& part : parts) numbers += part.matrix->cols();
  const bool parallel = blocks > 1 && update.n * numbers >= worth_threads;
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for schedule(static) if (parallel)
  for (int i = 0; i < blocks; ++i) {
    const int first = i * row_block, count = std::min(row_block, update.n - first);
    if (bf16)
      UpdateBlock<std::uint16_t>(update, columns, first, count, threads.mine()).run();
    else
      UpdateBlock<float>(update, columns, first, count, threads.mine()).run();
  }
}

namespace {

constexpr int strip = 64;  // columns that a thread takes at a time: with 256 rows their bf16 fill most of the L1 cache

/// The columns [first, first + count) of a product.
void add_strip(const OuterProducts& product, int first, int count, int n, bool bf16) {
  LowRankProduct task;
  task.bf16 = bf16;
  task.a = product.t;
  task.a_stride = low_rank_rows;
  task.c = product.g + first;
  task.c_stride = product.cols;
  task.rows = product.rank;
  task.cols = count;
  task.accumulate = true;
  if (!bf16) {
    task.b = reinterpret_cast<const std::byte*>(static_cast<const float*>(product.x) + first);
    task.b_stride = product.x_stride * 4;
    task.steps = n;
    return kernels().low_rank.product(task);
  }
  alignas(64) std::uint16_t pairs[low_rank_rows * strip];
  const auto* const source = static_cast<const std::uint16_t*>(product.x) + first;
  const int even = n / 2 * 2;
  kernels().low_rank.interleave(source, product.x_stride, even, count, pairs);
  if (even < n) {
    std::uint16_t* const last = pairs + static_cast<std::ptrdiff_t>(even) * count;
    for (int j = 0; j < count; ++j) {
      last[2 * j] = source[even * product.x_stride + j];
      last[2 * j + 1] = 0;
    }
  }
  task.b = reinterpret_cast<const std::byte*>(pairs);
  task.b_stride = static_cast<std::ptrdiff_t>(count) * 4;
  task.steps = (n + 1) / 2;
  kernels().low_rank.product(task);
}

}  // namespace

void add_outer_products(std::span<const OuterProducts> products, int n, Precision precision) {
  LB_CHECK(n <= low_rank_rows && precision != Precision::int8);
  const auto strips_of = [](const OuterProducts& product) { return (product.cols + strip - 1) / strip; };
  int strips = 0;
  std::ptrdiff_t numbers = 0;
  for (const OuterProducts& product : products) {
    strips += strips_of(product);
    numbers += std::ptrdiff_t{n} * product.cols;
  }
  const bool parallel = strips > 1 && numbers >= worth_threads;
#pragma omp parallel for schedule(static) if (parallel)
  for (int s = 0; s < strips; ++s) {
    int mine = s;
    auto product = products.begin();
    while (mine >= strips_of(*product)) mine -= strips_of(*product++);
    const int first = mine * strip;
    add_strip(*product, first, std::min(strip, product->cols - first), n, precision == Precision::bf16);
  }
}

}  // namespace layerboost
