// Memory that the layers of a student share while they run.
#pragma once

#include <algorithm>

#include "heal/lora.h"
#include "kernels/activations.h"
#include "kernels/row_ops.h"
#include "mixer/training.h"
#include "model/model.h"

namespace layerboost {

struct StudentScratch {
  /// Requires: `model` outlives this.
  explicit StudentScratch(const Model& model)
      : rope(model.rope()), rope_back(model.rope(true)), rope_config_(model.config.rope) {}

  /// Makes room for batches of this shape.
  void prepare(const CoreBatch& batch) {
    const int first = rope_config_.rotations(batch.length);
    for (RopeTable* table : {&rope, &rope_back}) table->grow(first + batch.length);
    positions.resize(static_cast<std::size_t>(batch.rows()));
    for (std::size_t i = 0; i < positions.size(); ++i)
      positions[i] = first + static_cast<int>(i % static_cast<std::size_t>(batch.length));
  }

  RopeTable rope, rope_back;   // rotations, their inverses
  std::vector<int> positions;  // [N] of rows in these tables
  Activations normed, normed_f32, mixed, activated, dy, d_wide;
  AlignedBuffer product;     // a tile of a product's result
  AlignedBuffer d_out;       // [N, H, d]
  AlignedBuffer dq, dk, dv;  // [N, H, d], [N, G, d], [N, G, d]
  AlignedBuffer d_kept;      // what input_gradient() of a product leaves for pair_gradients()
  AlignedBuffer dq_plain, dk_plain, dx;
  KernelScratch kernels;
  Profile profile;

  [[nodiscard]] std::size_t bytes() const {
    std::size_t total = kernels.bytes() + positions.capacity() * sizeof(int);
    for (const Activations* rows : {&normed, &normed_f32, &mixed, &activated, &dy, &d_wide}) total += rows->bytes();
    for (const AlignedBuffer* buffer : {&product, &d_out, &dq, &dk, &dv, &d_kept, &dq_plain, &dk_plain, &dx})
      total += buffer->capacity();
    return total;
  }

 private:
  const RopeConfig& rope_config_;
};

/// Row `row` of a buffer of rows of `cols` floats; nullptr where it is empty.
inline const float* row_of(const AlignedBuffer& buffer, std::ptrdiff_t row, int cols) {
  return buffer.data() == nullptr ? nullptr : reinterpret_cast<const float*>(buffer.data()) + row * cols;
}

/// Calls body(first row, rows) for tiles of at most 256 rows, in order.
template <typename Body>
void for_each_tile(std::ptrdiff_t rows, const Body& body) {
  for (std::ptrdiff_t row = 0; row < rows; row += tile_rows)
    body(row, static_cast<int>(std::min<std::ptrdiff_t>(tile_rows, rows - row)));
}

static_assert(tile_rows == low_rank_rows);

/// Bytes of what a product's pairs keep of so many rows; and where a tile's part begins.
inline std::size_t kept_bytes(const LoraProduct& product, std::ptrdiff_t rows, Precision precision) {
  const auto tiles = static_cast<std::size_t>((rows + tile_rows - 1) / tile_rows);
  return tiles * product.kept_size() * (precision == Precision::f32 ? 4 : 2);
}
inline std::byte* kept_tile(const AlignedBuffer& kept, const LoraProduct& product, std::ptrdiff_t row,
                            Precision precision) {
  return kept.data() + kept_bytes(product, row, precision);
}

/// Bytes of a number of activations in a precision (f32 or bf16).
inline std::size_t number_bytes(Precision precision) { return precision == Precision::f32 ? 4 : 2; }

}  // namespace layerboost
