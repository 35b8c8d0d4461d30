#include "kernels/panels.h"

#include <algorithm>

#include "base/error.h"
#include "kernels/dispatch.h"

namespace layerboost {
namespace {

/// Numbers whose products' sum fits into 32 bits: 127^2 times as many.
constexpr std::int64_t kMostInt8 = std::int64_t{1} << 17;

/// Rows of a task: those of x stay in the second cache for all panels.
constexpr int kTaskRows = 64;

/// Numbers of an output that are multiplied at a time, where one takes so many bytes.
constexpr std::int64_t step_of(std::int64_t size) { return size == 4 ? 1 : 2; }

/// How a weight's numbers lie in panels.
struct PanelLayout {
  PanelLayout(std::int64_t out, std::int64_t in, Precision precision)
      : panels((out + kPanelOutputs - 1) / kPanelOutputs),
        step(step_of(element_bytes(precision))),
        steps((in + step - 1) / step),
        numbers(steps * kPanelOutputs * step),
        bytes(numbers * element_bytes(precision)) {}

  std::int64_t panels;
  std::int64_t step;
  std::int64_t steps, numbers, bytes;  // of a panel
};

template <typename T>
void pack_as(const std::byte* weight, std::int64_t out, std::int64_t in, const PanelLayout& layout, std::byte* panels) {
  constexpr std::int64_t step = step_of(sizeof(T));
#pragma omp parallel for schedule(static)
  for (std::int64_t panel = 0; panel < layout.panels; ++panel) {
    T* const to = reinterpret_cast<T*>(panels) + panel * layout.numbers;
    std::fill_n(to, layout.numbers, T{0});
    const std::int64_t first = panel * kPanelOutputs, outputs = std::min<std::int64_t>(kPanelOutputs, out - first);
    for (std::int64_t o = 0; o < outputs; ++o) {
      const T* const from = reinterpret_cast<const T*>(weight) + (first + o) * in;
      for (std::int64_t i = 0; i < in; ++i) to[(i / step * kPanelOutputs + o) * step + i % step] = from[i];
    }
  }
}

/// The rows of x as products read them: f32 where they are, others in memory of `frame`, with zeros after the last of
/// an odd number.
struct Rows {
  const std::byte* data;
  std::ptrdiff_t stride;  // bytes
};

Rows rows_of(const Activations& x, const PanelLayout& layout, ScratchStack::Frame& frame) {
  constexpr std::int64_t widened = 4;
  if (x.precision() == Precision::f32)
    return {reinterpret_cast<const std::byte*>(x.f32(0)), std::ptrdiff_t{x.cols()} * 4};
  const PanelKernels& kernel = kernels().panels;
  const std::int64_t stride = layout.steps * layout.step * widened;
  std::byte* const wide = frame.take<std::byte>(static_cast<std::size_t>(x.rows() * stride));
#pragma omp parallel for schedule(static) if (x.rows() > 4)
  for (int row = 0; row < x.rows(); ++row) {
    std::byte* const to = wide + row * stride;
    if (x.cols() % layout.step != 0) std::fill_n(to, stride, std::byte{0});
    if (x.precision() == Precision::bf16)
      kernel.widen_bf16(x.bf16(row), x.cols(), to);
    else
      kernel.widen_int8(x.int8(row), x.cols(), to);
  }
  return {wide, stride};
}

}  // namespace

std::size_t panel_bytes(std::int64_t out, std::int64_t in, Precision precision) {
  const PanelLayout layout(out, in, precision);
  return static_cast<std::size_t>(layout.panels * layout.bytes);
}

void pack_panels(const std::byte* weight, std::int64_t out, std::int64_t in, Precision precision, std::byte* panels) {
  LB_CHECK(precision != Precision::int8 || in <= kMostInt8);
  const PanelLayout layout(out, in, precision);
  switch (precision) {
    case Precision::f32:
      return pack_as<float>(weight, out, in, layout, panels);
    case Precision::bf16:
      return pack_as<std::uint16_t>(weight, out, in, layout, panels);
    case Precision::int8:
      return pack_as<std::int8_t>(weight, out, in, layout, panels);
  }
  LB_CHECK(false);
}

void multiply_panels(const Activations& x, const std::byte* panels, std::int64_t out, const float* channel_scales,
                     float* y, KernelScratch& scratch) {
  const PanelKernels& kernel = kernels().panels;
  const auto multiply = x.precision() == Precision::f32    ? kernel.multiply_f32
                        : x.precision() == Precision::bf16 ? kernel.multiply_bf16
                                                           : kernel.multiply_int8;
  const PanelLayout layout(out, x.cols(), x.precision());
  ScratchStack::Frame frame(scratch.caller());
  const Rows rows = rows_of(x, layout, frame);
  const int row_tasks = (x.rows() + kTaskRows - 1) / kTaskRows;
#pragma omp parallel for schedule(static) collapse(2)
  for (int row_task = 0; row_task < row_tasks; ++row_task) {
    for (std::int64_t panel = 0; panel < layout.panels; ++panel) {
      const int row = row_task * kTaskRows;
      const std::int64_t first = panel * kPanelOutputs;
      const auto outputs = static_cast<int>(std::min<std::int64_t>(kPanelOutputs, out - first));
      PanelProduct product;
      product.x = rows.data + row * rows.stride;
      product.x_stride = rows.stride;
      product.rows = std::min(kTaskRows, x.rows() - row);
      product.steps = static_cast<int>(layout.steps);
      product.panel = panels + panel * layout.bytes;
      float scales[kPanelOutputs] = {};
      if (x.precision() == Precision::int8) std::copy_n(channel_scales + first, outputs, scales);
      product.scales = scales;
      float* const target = y + row * out + first;
      if (outputs == kPanelOutputs) {
        product.y = target;
        product.y_stride = out;
        multiply(product);
        continue;
      }
      float part[kTaskRows * kPanelOutputs];
      product.y = part;
      product.y_stride = kPanelOutputs;
      multiply(product);
      for (int r = 0; r < product.rows; ++r) std::copy_n(part + r * kPanelOutputs, outputs, target + r * out);
    }
  }
}

}  // namespace layerboost
