// Rows times panels of weights: a few rows of the result at a time, which stay in registers over all steps.
#include "kernels/isa/dot.h"
#include "kernels/isa/kernels.h"
#include "kernels/isa/simd.h"

namespace layerboost::LB_ISA {
namespace {

void widen_bf16(const std::uint16_t* x, int n, void* out) {
  auto* const to = static_cast<DotBf16::A*>(out);
  for (int i = 0; i < n; ++i) {
    if constexpr (sizeof *to == sizeof *x) {
      to[i] = x[i];
    } else {
      const std::uint32_t bits = static_cast<std::uint32_t>(x[i]) << 16;
      __builtin_memcpy(to + i, &bits, sizeof bits);
    }
  }
}

void widen_int8(const std::int8_t* x, int n, void* out) {
  auto* const to = static_cast<DotInt8::A*>(out);
  for (int i = 0; i < n; ++i) to[i] = static_cast<DotInt8::A>(+x[i]);  // + makes a number of a "character"
}

/// How far ahead of the numbers in use a panel is fetched, in bytes.
constexpr int kAhead = 2048;

template <typename Dot>
void multiply(const PanelProduct& t) {
  constexpr int kVectors = kPanelOutputs / kLanes;
  constexpr float kOnes[] = {1, 1, 1, 1, 1, 1};
  static_assert(Dot::kRows <= 6);
  constexpr std::ptrdiff_t kStep = std::ptrdiff_t{kPanelOutputs} * Dot::kColumn;
  const auto* const x = reinterpret_cast<const typename Dot::A*>(t.x);
  const std::ptrdiff_t x_stride = t.x_stride / static_cast<std::ptrdiff_t>(sizeof *x);
  for (int row = 0; row < t.rows; row += Dot::kRows) {
    const int rows = t.rows - row < Dot::kRows ? t.rows - row : Dot::kRows;
    float* const y = t.y + row * t.y_stride;
    block_for<Dot>(rows, kVectors)(x + row * x_stride, x_stride, t.panel, kStep, t.steps, y, t.y_stride, false,
                                   t.panel + kAhead, kOnes);
    if constexpr (Dot::kScaled) {
      for (int r = 0; r < rows; ++r)
        for (int o = 0; o < kPanelOutputs; o += kLanes)
          store(y + r * t.y_stride + o, mul(load(y + r * t.y_stride + o), load(t.scales + o)));
    }
  }
}

}  // namespace

const PanelKernels panel_kernels = {widen_bf16, widen_int8, multiply<DotF32>, multiply<DotBf16>, multiply<DotInt8>};

}  // namespace layerboost::LB_ISA
