// Products of many rows of activations with matrices that have few rows (LoRA's), and the gradients of such matrices.
// Numbers are f32, or bf16 with sums in f32. Results don't depend on how the work is spread over threads.
#pragma once

#include <cstddef>
#include <span>

#include "kernels/activations.h"
#include "kernels/precision.h"
#include "kernels/scratch.h"

namespace layerboost {

/// A matrix of few rows, M [rank, cols] with cols a multiple of 16, packed in both forms that its products read.
class ThinMatrix {
 public:
  ThinMatrix() = default;
  ThinMatrix(int rank, int cols, Precision precision);

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int cols() const { return cols_; }
  [[nodiscard]] Precision precision() const { return precision_; }
  /// The rank rounded up to a multiple of 16.
  [[nodiscard]] int padded_rank() const { return (rank_ + 15) / 16 * 16; }

  /// M = factor * values [rank, cols].
  void assign(const float* values, float factor);

  // For low_rank_update(): packed for t = x M^T and for y += t M.
  [[nodiscard]] const std::byte* down() const { return down_.data(); }
  [[nodiscard]] const std::byte* up() const { return up_.data(); }

 private:
  int rank_ = 0, cols_ = 0;
  Precision precision_ = Precision::f32;
  AlignedBuffer down_, up_;
};

/// One matrix's part in an update: it reads or writes columns `column` on of x or y, and has its place in t.
struct ThinPart {
  const ThinMatrix* matrix = nullptr;
  int t_column = 0;
  std::ptrdiff_t column = 0;
};

/// Columns of t that parts like these need: whole vectors from each part's place on.
int low_rank_columns(std::span<const ThinPart> parts);

/// Rows of t that are kept transposed: [columns of t][256], in the precision of the matrices.
inline constexpr int low_rank_rows = 256;

/// t = x M^T for the parts of `down`, one after another (each writes padded_rank() columns from its place on, zero past
/// its rank), then y += t M for those of `up` (which read what `down` wrote; none: y isn't touched). x [n, *] in the
/// matrices' precision with rows `x_stride` numbers apart, y [n, *] f32, n at most low_rank_rows. Leaves t_factor * t
/// transposed in `kept` [low_rank_columns(down)][low_rank_rows].
struct LowRankUpdate {
  std::span<const ThinPart> down, up;
  const void* x = nullptr;
  std::ptrdiff_t x_stride = 0;
  float* y = nullptr;
  std::ptrdiff_t y_stride = 0;
  int n = 0;
  void* kept = nullptr;
  float t_factor = 1;
};
void low_rank_update(const LowRankUpdate& update, KernelScratch& scratch);

/// g [rank, cols] += t^T x over n rows. t: `rank` rows of what an update kept; x [n, cols], cols a multiple of 16; g
/// f32.
struct OuterProducts {
  const void* t = nullptr;
  const void* x = nullptr;
  std::ptrdiff_t x_stride = 0;
  int rank = 0, cols = 0;
  float* g = nullptr;
};
void add_outer_products(std::span<const OuterProducts> products, int n, Precision precision);

}  // namespace layerboost
