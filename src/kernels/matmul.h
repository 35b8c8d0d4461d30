// Matrix products, through oneDNN or, where it has none for the CPU, of our own (panels.h): weights packed once, one
// packed layout for every number of rows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/activations.h"
#include "kernels/precision.h"
#include "kernels/row_ops.h"

namespace layerboost {

/// The weight of a linear layer, [out, in], packed for y = x W^T. Under int8 each output channel is quantised
/// symmetrically (scale = max|w| / 127). Moveable; safe to use from several threads.
class PackedMatrix {
 public:
  /// Fills rows [first, first + count) of the weight into a buffer [count, in]; called from several threads at once.
  using RowSource = std::function<void(std::int64_t first, std::int64_t count, float* rows)>;

  PackedMatrix();
  ~PackedMatrix();
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;

  PackedMatrix(std::int64_t out, std::int64_t in, Precision precision, const RowSource& rows);

  [[nodiscard]] int in() const;
  [[nodiscard]] int out() const;
  [[nodiscard]] Precision precision() const;
  /// Bytes of packed weights; 0 for an empty one.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] explicit operator bool() const { return impl_ != nullptr; }

  /// y = x W^T with x [n, in]. Returns y with x's row scales (see Product). Requires: x is in the matrix's precision,
  /// n <= 256, and y has room for [n + spare_rows, out] floats, for rows are rounded up.
  Product multiply(const Activations& x, float* y, KernelScratch& scratch) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace layerboost
