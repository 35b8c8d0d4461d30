// Where the time of an inference step goes.
#pragma once

#include "base/phase_times.h"

namespace layerboost {

/// Parts of a step.
enum class StepPhase {
  schedule,        // which rows run, and memory for them
  mixer_products,  // with the weights of mixers: Wq, Wk, Wv, Wo, a map
  mixers,          // what is between them: keys, values and states written and read
  mlp_products,
  rows,      // embeddings, norms, RoPE, activation functions, residual sums
  head,      // logits
  sampling,  // from logits to tokens
  output,    // from tokens to text, and handing it out
};

using StepTimes = PhaseTimes<StepPhase, 8>;

/// "schedule", "mixer products", ...
const char* name_of(StepPhase phase);

}  // namespace layerboost
