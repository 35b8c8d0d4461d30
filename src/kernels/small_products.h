// Products and transposes of small f32 matrices on the caller's thread: what linear attention is computed with.
#pragma once

#include <cstddef>

#include "kernels/dispatch.h"

namespace layerboost {

/// Rounded up to a multiple of 16, as columns of small products are.
inline int padded_to_16(int n) { return (n + 15) / 16 * 16; }

/// SmallProduct.
inline void multiply_small(int rows, int cols, int steps, const float* a, std::ptrdiff_t a_stride, const float* b,
                           std::ptrdiff_t b_stride, float* c, std::ptrdiff_t c_stride, bool accumulate) {
  kernels().linear.multiply({rows, cols, steps, a, a_stride, b, b_stride, c, c_stride, accumulate});
}

/// LinearKernels::transpose.
inline void transpose_small(const float* from, std::ptrdiff_t from_stride, int n, int m, float* to,
                            std::ptrdiff_t to_stride) {
  kernels().linear.transpose(from, from_stride, n, m, to, to_stride);
}

}  // namespace layerboost
