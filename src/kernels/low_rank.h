// Products of many rows of activations with a matrix that has few rows (LoRA's), and the gradients of such matrices.
// Numbers are f32, or bf16 with sums in f32. Results don't depend on how the work is spread over threads.
#pragma once

#include <cstddef>

#include "kernels/activations.h"
#include "kernels/precision.h"

namespace layerboost {

/// Rows in a given precision that lie `stride` numbers apart.
template <typename Pointer>
struct RowsAt {
  Pointer data = nullptr;
  std::ptrdiff_t stride = 0;
};
using InputRows = RowsAt<const void*>;
using OutputRows = RowsAt<void*>;

/// M [rank, cols], cols a multiple of 16, in both forms that its products read.
class ThinMatrix {
 public:
  ThinMatrix() = default;
  ThinMatrix(int rank, int cols, Precision precision);

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int cols() const { return cols_; }
  /// Columns that project() writes: the rank rounded up to a multiple of 16.
  [[nodiscard]] int projected_cols() const { return (rank_ + 15) / 16 * 16; }

  /// M = factor * values [rank, cols].
  void assign(const float* values, float factor);

  /// t = x M^T. x [n, cols], t [n, projected_cols()] in the matrix's precision; columns past the rank become zero.
  void project(InputRows x, int n, OutputRows t) const;

  /// y += t M. t [n, rank] (with an odd rank one column more is read, and doesn't matter), y [n, cols] f32 with rows
  /// `y_stride` apart.
  void expand(InputRows t, int n, float* y, std::ptrdiff_t y_stride) const;

 private:
  int rank_ = 0, cols_ = 0;
  Precision precision_ = Precision::f32;
  AlignedBuffer down_;  // for project(): k = cols
  AlignedBuffer up_;    // for expand(): k = rank
};

/// g [rank, cols] += factor t^T x over n rows (factor t is rounded to the precision): t [n, rank], x [n, cols] in
/// `precision`, g f32, cols a multiple of 16.
void add_outer_products(InputRows t, InputRows x, int n, int rank, int cols, Precision precision, float factor,
                        float* g);

}  // namespace layerboost
