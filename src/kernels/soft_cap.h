// Soft capping, of attention's scores and of logits: x becomes cap tanh(x / cap), which hardly changes what is small
// beside the cap and never gets beyond it (Gemma 2, arXiv 2408.00118, section 2). A cap of 0 is none.
#pragma once

#include <cmath>

namespace layerboost {

/// cap tanh(x / cap); x where there is no cap.
template <typename Float>
Float soft_capped(Float x, Float cap) {
  return cap > 0 ? cap * std::tanh(x / cap) : x;
}

/// The derivative of soft_capped() where its result is `capped`: 1 - tanh^2; 1 where there is no cap.
template <typename Float>
Float soft_cap_slope(Float capped, Float cap) {
  return cap > 0 ? 1 - capped / cap * (capped / cap) : 1;
}

}  // namespace layerboost
