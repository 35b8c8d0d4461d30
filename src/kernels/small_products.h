// Products and transposes of small f32 matrices on the caller's thread: what linear attention is computed with.
#pragma once

#include <cstddef>

#include "kernels/dispatch.h"

namespace layerboost {

/// Returns `n` rounded up to a multiple of 16, as the columns of small products are.
inline int padded_to_16(int n) { return (n + 15) / 16 * 16; }

/// Computes c = a b, or adds a b to c, as SmallProduct (isa/kernels.h) says.
inline void multiply_small(int rows, int cols, int steps, const float* a, std::ptrdiff_t a_stride, const float* b,
                           std::ptrdiff_t b_stride, float* c, std::ptrdiff_t c_stride, bool accumulate) {
  kernels().linear.multiply({rows, cols, steps, a, a_stride, b, b_stride, c, c_stride, accumulate});
}

/// Writes the transpose of `from`, as LinearKernels::transpose (isa/kernels.h) says.
inline void transpose_small(const float* from, std::ptrdiff_t from_stride, int n, int m, float* to,
                            std::ptrdiff_t to_stride) {
  kernels().linear.transpose(from, from_stride, n, m, to, to_stride);
}

}  // namespace layerboost
