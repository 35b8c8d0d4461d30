// `heal --profile`: one step, timed.
#pragma once

#include "heal/heal.h"
#include "heal/roofline.h"

namespace layerboost {

struct HealProfile {
  Profile profile;                // of one step
  double seconds = 0;             // it took
  RooflineWork roofline;          // of its tokens
  int recomputed = 0;             // layers whose activations were computed twice
  std::size_t scratch_bytes = 0;  // Distiller::scratch_bytes()
};

/// Takes one step of this run on random tokens, after a part of one to warm up, and then measures the roofline. Writes
/// nothing. Throws Error for a plan that changes nothing.
HealProfile profile_heal(const Model& model, const HealPlan& plan, const HealOptions& options);

}  // namespace layerboost
