// Healing: a planned model, the *student*, learns to predict what the unchanged model, the *teacher*, predicts. Both
// use the same base weights, which stay as they are; what learns are pairs of low-rank matrices beside the products
// (LoRA), and the mixers' own parameters. heal() is a run as a whole. It reads text, trains (heal/trainer.h), measures
// on text that was held out, saves checkpoints, and keeps the best parameters as an Adapter in a directory that other
// commands take for MODEL. A run that was stopped goes on from its checkpoint. Healing doesn't choose the plan, and
// doesn't merge the adapter into the weights: that is done when the directory is opened (artifact/merge.h).
#pragma once

#include <optional>
#include <string>

#include "artifact/adapter.h"
#include "artifact/plan.h"
#include "base/run_info.h"
#include "heal/heal_options.h"
#include "heal/held_out.h"
#include "mixer/mixers.h"

namespace layerboost {

/// The plan to heal, where it lies (its maps lie beside it), and what an earlier run has learnt for it.
struct HealPlan {
  Plan plan;
  fs::path path;
  /// The run begins with this one and reads on where it ended; none: with a new one, which changes nothing. A profile
  /// doesn't look at it.
  std::optional<Adapter> from = {};
  std::string from_hash = {};  // file_hash() of it
};

struct HealResult {
  HeldOutResult before, after;  // held-out text, with what the run began with and with the best adapter
  std::int64_t steps = 0, best_step = 0;
  std::int64_t tokens = 0;
  double seconds = 0;
};

/// Distils the planned student from `model` into `directory` (plan.json, adapter.safetensors, heal.json, log.jsonl,
/// checkpoint/), going on where an earlier run of the same stopped. Under several ranks the first alone writes, and its
/// result alone has measurements. Throws Error for a plan that changes nothing, text that can't be used, options that
/// don't fit, or a diverging run; Interrupted.
HealResult heal(const Model& model, const HealPlan& plan, const HealOptions& options, const fs::path& directory,
                const RunInfo& run);

}  // namespace layerboost
