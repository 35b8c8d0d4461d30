// Products with one short side, compiled once per instruction level (see kernels.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace layerboost {

/// C [rows, cols] = or += A [rows, k] * B [k, cols].
struct LowRankProduct {
  bool bf16 = false;        // type of A and B; else f32
  const void* a = nullptr;  // rows `a_stride` numbers apart
  std::ptrdiff_t a_stride = 0;
  const std::byte* b = nullptr;  // f32: [k][cols]; bf16: [k/2][cols][2], pairs along k; steps `b_stride` bytes apart
  std::ptrdiff_t b_stride = 0;
  float* c = nullptr;  // rows `c_stride` numbers apart
  std::ptrdiff_t c_stride = 0;
  int rows = 0;
  int cols = 0;   // a multiple of 16
  int steps = 0;  // k, or k/2 with bf16
  bool accumulate = false;
};

struct LowRankKernels {
  void (*product)(const LowRankProduct& task);
  /// out [rows/2][cols][2] = x [rows, cols] with rows i, i + 1 side by side; rows even, cols a multiple of 16.
  void (*interleave)(const std::uint16_t* x, std::ptrdiff_t stride, int rows, int cols, std::uint16_t* out);
};

}  // namespace layerboost
