// What `layerboost boost` is asked for, and whether that makes sense before it begins: a night's work must not end at
// its last step because of a flag.
#pragma once

#include <optional>
#include <string>

#include "app/analysis.h"
#include "app/boost_healing.h"
#include "app/compute_options.h"
#include "app/plan_maker.h"
#include "app/speed.h"
#include "eval/quality.h"
#include "plan/cost_model.h"

namespace layerboost {

/// Texts that the model writes where none is given.
inline constexpr int written_texts = 16;

struct BoostOptions {
  std::string model, output;
  std::optional<HealBudget> heal;  // nothing: not said
  AnalyzeOptions analyze;
  PlanOptions plan;
  QualityOptions quality;  // of it: texts (none: text that the model writes), retrieval
  SpeedOptions speed{{1, 16, 64}, {256, 1024}, 32};
  bool retrieval_given = false, prompts_given = false;  // else they are cut to the model's positions
  bool estimate = false;                                // only say what it would take
  ComputeOptions compute;
  std::string json;  // the file for the results, too; empty: none

  /// Whether healing is asked for.
  [[nodiscard]] bool heals() const { return heal && !heal->none(); }
  /// Whether it is asked for that nothing is healed, nor used of what is healed already.
  [[nodiscard]] bool unhealed() const { return heal && heal->none(); }
  /// Whether a plan of its own is asked for, rather than the one that may come ready-made.
  [[nodiscard]] bool plan_asked() const { return plan_options_given() || heal.has_value(); }
  /// Whether there are options that say how a plan is chosen.
  [[nodiscard]] bool plan_options_given() const {
    return plan.softmax || plan.none || plan.kv || !plan.speedup.empty() || !plan.thresholds.empty() ||
           plan.by_removal || !plan.middle.empty() || !plan.keep.empty() || plan.retrieval_weight || analyze.heads;
  }
  /// What quality is measured on.
  [[nodiscard]] QualityOptions quality_options() const {
    QualityOptions options = quality;
    options.tasks = analyze.tasks;
    options.limit = analyze.limit;
    options.seed = compute.seed;
    return options;
  }
};

/// All that can be seen of the options alone: words, numbers, files that must be there, places to write to. Throws
/// Error.
void check_boost(const BoostOptions& options);

/// Lengths that nobody asked for become those that fit the model. Throws Error for those that were asked for and don't,
/// and for budgets that no plan of the model can meet but for a speedup.
void fit_to_model(BoostOptions& options, const Config& config);

/// What the loaded model decides: the lengths of the texts that facts are found in, and the speedup by `cost` (nullptr
/// where none is asked for). Throws Error.
void check_with_model(const BoostOptions& options, const Model& model, const CostModel* cost);

}  // namespace layerboost
