// Where the time of a training step goes.
#pragma once

#include "base/phase_times.h"

namespace layerboost {

/// Parts of a step. "Products" are those with the base weights.
enum class Phase {
  below,              // layers below the lowest changed one
  teacher,            // the teacher's layers
  forward_products,   // of the student
  backward_products,  // of the student
  head_products,      // both models' logits, and their gradient
  head_rows,          // softmax, divergence
  lora,               // thin products, gradients
  mixer_forward,      // attention itself
  mixer_backward,
  rows,       // norms, RoPE, activation functions, residual sums
  optimizer,  // gradients' norm, AdamW, packing of what changed
};

/// "teacher", "forward products", ...
const char* name_of(Phase phase);

using Profile = PhaseTimes<Phase, 11>;

}  // namespace layerboost
