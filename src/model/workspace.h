// Scratch memory of a step; kept between steps so that the steady state allocates nothing.
#pragma once

#include <functional>
#include <vector>

#include "kernels/activations.h"
#include "kernels/matmul.h"
#include "kernels/row_ops.h"
#include "model/step_context.h"
#include "model/step_times.h"

namespace layerboost {

/// The inputs of a layer's products: what an observer is shown.
enum class Site { qkv, o, gate_up, down, head };

/// The memory that steps compute in; each thread of control that runs some has its own.
struct Workspace {
  explicit Workspace(RopeTable table) : rope(std::move(table)) {}

  RopeTable rope;              // grown to the last of the step's rotations before layers run
  Activations normed;          // a tile of rows after a norm
  Activations mixed;           // a tile of a mixer's output before its last projection
  Activations activated;       // a tile of the MLP's middle
  AlignedBuffer product;       // a tile of a product's result
  AlignedBuffer q, k, v;       // [N, H, d], [N, G, d], [N, G, d]
  AlignedBuffer output;        // [N, H, d]
  KernelScratch scratch;       // what mixers and kernels take while they run
  std::vector<int> positions;  // [N] of rows in `rope`
  StepContext step;            // what layers offer to later ones
  StepTimes times;

  /// Shown each tile of the inputs of products (calibration, analysis); usually empty.
  std::function<void(int layer, Site site, const Activations& input)> observer;
  void observe(int layer, Site site, const Activations& input) const {
    if (observer) observer(layer, site, input);
  }

  /// Bytes of scratch memory.
  [[nodiscard]] std::size_t bytes() const {
    std::size_t total = scratch.bytes() + step.bytes() + positions.capacity() * sizeof(int);
    for (const Activations* rows : {&normed, &mixed, &activated}) total += rows->bytes();
    for (const AlignedBuffer* buffer : {&product, &q, &k, &v, &output}) total += buffer->capacity();
    return total;
  }
};

/// input times `matrix`, into `product`, as matrix.multiply() says; its time counts for `phase`.
inline Product timed_product(Workspace& workspace, StepPhase phase, const PackedMatrix& matrix,
                             const Activations& input, float* product) {
  const StepTimes::Scope time(workspace.times, phase);
  return matrix.multiply(input, product, workspace.scratch);
}

/// Rows of one tile of products: its operands stay in the second-level cache.
inline constexpr int tile_rows = 256;

}  // namespace layerboost
