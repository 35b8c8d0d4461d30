// Rows of activations in the form that a matrix product of a given precision reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/huge_pages.h"
#include "kernels/precision.h"

namespace layerboost {

/// Matrix products may round the number of rows up by so many: their operands and results have room for them.
inline constexpr int spare_rows = 16;

/// Memory aligned to 64 bytes that only ever grows; contents are lost when it does. From 2 MiB on it is
/// HugePages.
class AlignedBuffer {
 public:
  /// At least `bytes` bytes, aligned to 64.
  std::byte* reserve(std::size_t bytes);
  template <typename T>
  T* reserve_as(std::size_t count) {
    return reinterpret_cast<T*>(reserve(count * sizeof(T)));
  }
  /// Memory for the result of a matrix product: [rows, cols] with its spare rows.
  float* reserve_product(std::ptrdiff_t rows, std::ptrdiff_t cols) {
    return reserve_as<float>(static_cast<std::size_t>(rows + spare_rows) * static_cast<std::size_t>(cols));
  }
  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  /// Owns the memory itself where it is huge pages; gives back what std::free() takes where it isn't.
  struct Release {
    HugePages pages;
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Release> data_;
  std::size_t capacity_ = 0;
};

/// The left operand of a matrix product: [rows, cols] as f32, bf16, or int8 with one scale per row (value = int8 *
/// scale). There is room for spare_rows more than asked, whose contents don't matter.
class Activations {
 public:
  /// Gives room for [rows, cols] in this precision. Contents are undefined. Storage is kept and only grows.
  void reshape(int rows, int cols, Precision precision);

  [[nodiscard]] int rows() const { return rows_; }
  [[nodiscard]] int cols() const { return cols_; }
  [[nodiscard]] Precision precision() const { return precision_; }
  /// Bytes of storage.
  [[nodiscard]] std::size_t bytes() const { return storage_.capacity() + scales_.capacity(); }

  [[nodiscard]] float* f32(int row) const { return reinterpret_cast<float*>(storage_.data()) + offset(row); }
  [[nodiscard]] std::uint16_t* bf16(int row) const {
    return reinterpret_cast<std::uint16_t*>(storage_.data()) + offset(row);
  }
  [[nodiscard]] std::int8_t* int8(int row) const {
    return reinterpret_cast<std::int8_t*>(storage_.data()) + offset(row);
  }
  /// [rows] under int8, nullptr otherwise.
  [[nodiscard]] float* scales() const {
    return precision_ == Precision::int8 ? reinterpret_cast<float*>(scales_.data()) : nullptr;
  }

 private:
  [[nodiscard]] std::ptrdiff_t offset(int row) const { return static_cast<std::ptrdiff_t>(row) * cols_; }

  AlignedBuffer storage_, scales_;
  int rows_ = 0, cols_ = 0;
  Precision precision_ = Precision::f32;
};

}  // namespace layerboost
