// The healing step of `boost`: how much, and what comes ready-made with the program.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "artifact/opened_model.h"
#include "base/run_info.h"
#include "heal/heal.h"

namespace layerboost {

/// How much is to be healed: tokens, or minutes; both 0: no healing.
struct HealBudget {
  std::int64_t tokens = 0;
  double minutes = 0;

  [[nodiscard]] bool none() const { return tokens == 0 && minutes == 0; }
};

/// The directory below `models` that holds a healed model made from the model with this hash; no value when there is
/// none. Those that come with the program are in models_directory().
std::optional<fs::path> find_ready_made(const fs::path& models, const std::string& model_hash);

/// Copies a healed directory's plan, adapter, record and log to `directory`, with the path of `base` as the base
/// model's. Everything is checked first: the hashes of adapter, plan and model. Throws Error.
void copy_healed(const fs::path& from, const fs::path& directory, const std::shared_ptr<const Checkpoint>& base);

/// Throws Error where the directory was healed with another plan: healing anew would undo that.
void check_healing(const fs::path& directory, const std::string& plan_hash);

/// Heals the plan in `directory` (plan.json) into `directory`, unless that has been done with the same options already;
/// goes on where it was stopped. `options`: all but tokens; `model`: the unchanged model, in bf16 or f32. Throws Error,
/// Interrupted.
void heal_boosted(const Model& model, const fs::path& directory, const HealBudget& budget, HealOptions options,
                  const RunInfo& run);

}  // namespace layerboost
