// What `layerboost boost` is asked for.
#pragma once

#include <string>

#include "cli/analyze_options.h"
#include "cli/common.h"
#include "cli/plan_options.h"
#include "cli/speed_report.h"
#include "eval/quality.h"

namespace layerboost {

/// Texts that the model writes where there is no --eval-text.
inline constexpr int written_texts = 16;

struct BoostOptions {
  std::string model, output;
  std::string heal;  // --heal; empty: not given
  AnalyzeOptions analyze;
  PlanOptions plan;
  QualityOptions quality;  // of it: text (empty: text that the model writes), passkey
  SpeedOptions speed{{1, 16, 64}, {256, 1024}, 32};
  bool passkey_given = false, prompts_given = false;  // else they are cut to the model's positions
  bool estimate = false;                              // only say what it would take
  CommonOptions common;

  /// Whether a plan of its own is asked for, rather than the one that may come ready-made.
  [[nodiscard]] bool plan_asked() const { return plan_options_given() || !heal.empty(); }
  /// Whether there are options that say how a plan is chosen.
  [[nodiscard]] bool plan_options_given() const {
    return plan.softmax || plan.none || plan.kv || !plan.speedup.empty() || !plan.thresholds.empty() ||
           plan.by_removal || !plan.middle.empty() || !plan.keep.empty() || plan.retrieval_weight;
  }
  /// What quality is measured on.
  [[nodiscard]] QualityOptions quality_options() const {
    QualityOptions options = quality;
    options.tasks = analyze.tasks;
    options.limit = analyze.limit;
    options.seed = common.seed;
    return options;
  }
};

}  // namespace layerboost
