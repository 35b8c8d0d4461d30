// Making a plan from an analysis: what `plan` and a step of `boost` do, without their flags. PlanOptions are what the
// flags say: a budget, or the paper's thresholds or ranks of removal; without either, the plan is at the knee of the
// curve. make_plan() reads the analysis, lets the planner choose (plan/planner.h) or, with `search` joint, measures
// whole plans on the opened model, and writes the plan with what is predicted of it. It gives the curve of all plans,
// too, for the report. check_plan_options() finds out before a long analysis whether any plan can meet the options. The
// analysis itself is made by app/analysis.h, and the plan is healed by others.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifact/plan.h"
#include "base/run_info.h"
#include "kernels/precision.h"
#include "model/model.h"
#include "plan/frontier.h"

namespace layerboost {

struct PlanOptions {
  std::optional<int> softmax, none;
  std::optional<double> kv;
  std::string speedup;             // X@BATCHxCONTEXT; empty: no target
  std::vector<double> thresholds;  // HI, LO
  bool by_removal = false;
  std::string middle;  // the paper's middle mixer; empty: the analysis' first window
  std::vector<int> keep;
  std::string by = "kl";
  std::optional<double> retrieval_weight;  // none: LossRule's where retrieval was measured
  int context = 2048;
  std::string search = "additive";
  int measurements = 120;
  std::string text;   // as given to `analyze`, for the joint search
  std::string model;  // empty: where the analysis says it is
  /// Says how a user asks for the plan that other options make of the analysis in a file of this name. The curve has it
  /// for each of its points. Empty: it says nothing of that.
  std::function<std::string(const std::string& analysis, const PlanOptions& options)> command;
};

/// The speedup that is asked for; nothing where none is. Throws Error for what can't be read.
std::optional<SpeedTarget> speed_target(const PlanOptions& options);

/// Throws Error for options that no plan of this model can meet, whatever an analysis of these choices and measures
/// finds. `cost`: needed for a speedup; nullptr: unknown.
void check_plan_options(const PlanOptions& options, const Config& config, const std::vector<MixerSpec>& choices,
                        const std::vector<std::string>& measures, const CostModel* cost);

struct MadePlan {
  Plan plan;
  Json curve;  // frontier_json()
};

/// Chooses a plan from the analysis in `analysis_path` and writes it to `output`, the parameters of its maps beside it.
/// Opens the model for a joint search and, once for each machine, to measure its speed, unless it is `model`; without a
/// speed target a model that can't be found only leaves the speed out. `run`: seed, threads and precision in use.
/// Throws Error, Interrupted.
MadePlan make_plan(const fs::path& analysis_path, const PlanOptions& options, const fs::path& output,
                   Precision precision, const RunInfo& run, std::shared_ptr<Model> model = nullptr);

/// The curve for a plan that is there already, `specs` [L]; none where the analysis leaves out one of its mixers.
std::optional<Json> make_curve(const fs::path& analysis_path, const PlanOptions& options,
                               const std::vector<MixerSpec>& specs, Precision precision, const RunInfo& run,
                               std::shared_ptr<Model> model = nullptr);

}  // namespace layerboost
