// What a run of `heal` begins with: the plan to heal, what an earlier run has learnt of it, the opened model, and the
// directory, which nobody else may write at the same time. The training itself is heal()'s (heal/heal.h), one step of
// it, timed, profile_heal()'s (heal/heal_profile.h). The healing step of `boost` is app/boost_healing.h.
#pragma once

#include <optional>
#include <string>

#include "app/compute_options.h"
#include "artifact/opened_model.h"
#include "base/file_lock.h"
#include "base/run_info.h"
#include "heal/heal.h"

namespace layerboost {

struct HealingOptions {
  std::string model;            // an unchanged model; or a healed directory, to heal it on with other text
  std::string plan;             // a file; empty: that of the directory that boost or heal wrote
  std::string output;           // the directory
  std::string json;             // the file for the results, too; empty: none
  std::optional<int> rank;      // of LoRA; none: the usual, or that of the adapter that the run begins with
  std::optional<double> alpha;  // none: twice the rank, or that adapter's
  bool profile = false;         // one step is to be timed, and nothing written
  HealOptions heal;             // but for what follows from the others: seed, model_name and lora
  ComputeOptions compute;
};

struct HealingRun {
  std::optional<FileLock> lock;  // of the directory; none for a profile, and on all ranks but the first
  HealOptions options;           // complete
  HealPlan plan;
  OpenedModel opened;  // the unchanged model
  RunInfo run;
};

/// Checks the options, finds out what the run begins with, takes the directory for it and opens the model. What can be
/// seen of the options alone is said before anything is opened, and what the files say before the directory is made,
/// but for whether the plan is of this model. Throws Error.
HealingRun begin_healing(HealingOptions options);

}  // namespace layerboost
