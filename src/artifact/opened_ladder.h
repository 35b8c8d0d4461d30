// A model opened with its ladder, to be run at any of its levels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "artifact/ladder.h"
#include "artifact/opened_model.h"
#include "artifact/plan.h"

namespace layerboost {

/// All levels share one set of weights, and a mixer that several levels have is one object: sequences of different
/// levels can share steps, and one level's cache can be folded into a higher one's.
struct OpenedLadder {
  Ladder ladder;
  OpenedModel opened;  // at level 0
  Plan plan;           // level 0's, with the model's own mixers where it has none

  /// The mixers of a level; the list lives as long as `opened.mixers`. Requires: 0 <= level <= ladder.top().
  [[nodiscard]] const MixerList& list(int level) const { return opened.mixers->list(ladder.specs(level)); }
  /// All of them, by level.
  [[nodiscard]] std::vector<const MixerList*> levels() const;
  /// Plan::hash() of a level; empty for level 0 of a model without a plan.
  [[nodiscard]] std::string plan_hash(int level) const;
  /// The model at one level, in place of level 0. Throws as check_level().
  [[nodiscard]] OpenedModel at(int level) &&;
};

/// Throws Error unless the ladder has this level.
void check_level(const Ladder& ladder, int level);

/// Has `mixers` of `model` use what the ladder's layers have learnt, if anything, from `directory`. Requires and throws
/// as use_weights() and read_ladder_weights().
void use_learnt(MixerSet& mixers, const Model& model, const Ladder& ladder, const fs::path& directory);

/// Opens what find_ladder_files() finds. kv, needs_text: as open_model_argument(). Under int8 the model is calibrated
/// as level 0 runs it, once for all levels: higher ones change what a layer looks at, which moves the ranges of
/// activations little, while a second calibration would need a second set of weights. Throws Error.
OpenedLadder open_ladder(const std::string& model, Precision precision, KvType kv = KvType::bf16,
                         bool needs_text = true);

/// The same of files that find_ladder_files() found.
OpenedLadder open_ladder(const ModelFiles& files, Precision precision, KvType kv = KvType::bf16,
                         bool needs_text = true);

/// A level's plan with all that changes the model's weights and is learnt by its mixers, read but not loaded. `files`:
/// as find_ladder_files() found them. Throws Error.
PlannedFiles read_level_files(const ModelFiles& files, int level);

/// What a MODEL argument, a plan and a level name together: open_model_argument(), or, where a level is asked for, the
/// model at this level of its ladder, which takes no plan. Throws Error.
OpenedModel open_model_argument(const std::string& model, const std::string& plan, std::optional<int> level,
                                Precision precision, KvType kv = KvType::bf16, bool needs_text = true);

}  // namespace layerboost
