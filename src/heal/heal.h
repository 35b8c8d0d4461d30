// A healing run as a whole: from a model, a plan and text to a directory that can be used as a model.
#pragma once

#include "artifact/plan.h"
#include "base/run_info.h"
#include "heal/heal_options.h"
#include "heal/held_out.h"
#include "mixer/mixers.h"

namespace layerboost {

/// The plan to heal, and where it lies (its maps lie beside it).
struct HealPlan {
  Plan plan;
  fs::path path;
};

struct HealResult {
  HeldOutResult before, after;  // held-out text, with the plan alone and with the best adapter
  std::int64_t steps = 0, best_step = 0;
  std::int64_t tokens = 0;
  double seconds = 0;
};

/// Distils the planned student from `model` into `directory` (plan.json, adapter.safetensors, heal.json, log.jsonl,
/// checkpoint/), going on where an earlier run stopped. Under several ranks the first alone writes, and its result
/// alone has measurements. Throws Error for a plan that changes nothing, text that can't be used, options that don't
/// fit, or a diverging run; Interrupted.
HealResult heal(const Model& model, const HealPlan& plan, const HealOptions& options, const fs::path& directory,
                const RunInfo& run);

}  // namespace layerboost
