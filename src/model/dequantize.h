// Number formats of stored weights, and how to turn them into floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/checkpoint.h"

namespace layerboost {

/// A type's smallest unit: `elements` neighbouring weights of one row take `bytes` bytes. Plain types have 1 element.
struct BlockSize {
  int elements;
  int bytes;
};

BlockSize block_size(DType dtype);

/// Bytes of `count` elements, a multiple of the block's.
std::int64_t stored_bytes(DType dtype, std::int64_t count);

/// `count` floats (a multiple of the block's elements) from `bytes` into `out`. Quantised types are computed as ggml's
/// `dequantize_row_*` define them and then rounded to bf16 (to nearest, ties to even); f32, f16 and bf16 are exact.
/// `bytes` needs no alignment.
void dequantize(DType dtype, const std::byte* bytes, std::int64_t count, float* out);

}  // namespace layerboost
