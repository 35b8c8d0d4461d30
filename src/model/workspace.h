// Scratch memory of a step; kept between steps so that the steady state allocates nothing.
#pragma once

#include "kernels/activations.h"

namespace layerboost {

/// One per thread of control that runs steps.
struct Workspace {
  Activations normed;     // a tile of rows after a norm
  Activations mixed;      // a tile of a mixer's output before its last projection
  Activations activated;  // a tile of the MLP's middle
  AlignedBuffer product;  // a tile of a product's result
  AlignedBuffer q, k, v;  // [N, H, d], [N, G, d], [N, G, d]
  AlignedBuffer output;   // [N, H, d]
  AlignedBuffer scratch;  // a mixer's own
};

/// Rows of one tile of products: its operands stay in the second-level cache.
inline constexpr int tile_rows = 256;

}  // namespace layerboost
