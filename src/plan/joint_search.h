// Choosing a plan by measuring whole plans: losses of single layers don't add up.
#pragma once

#include <functional>
#include <vector>

#include "plan/planner.h"

namespace layerboost {

/// A whole plan's loss, measured.
struct JointLossValue {
  double text = 0;       // KL or change of NLL on text
  double retrieval = 0;  // retrieval_loss() of the calibration's questions

  /// What the search minimises; as LossRule.
  [[nodiscard]] double total(double retrieval_weight) const;
};

/// Measures the plan `specs` [L]. Takes seconds; may throw Interrupted.
using MeasurePlan = std::function<JointLossValue(const std::vector<MixerSpec>& specs)>;

struct JointSearchOptions {
  int measurements = 120;  // at most so many plans are measured, the starts included
  int patience = 12;       // so many moves without success end a pass
};

struct JointSearchResult {
  std::vector<MixerSpec> specs;  // [L]
  JointLossValue measured;
  double predicted = 0;  // sum of the layers' single losses
  int measurements = 0;
};

/// Plans to start from: of least predicted loss within the budget, with all choices, with one window width only, and
/// with retrieval at 1, 8 and 64 times its weight (single layers hardly show what they do together). Each once; not
/// empty. Throws Error as Planner::best().
std::vector<std::vector<MixerSpec>> joint_search_starts(const Analysis& analysis, const LossRule& rule, int context,
                                                        const Budget& budget, const CostModel* cost);

/// Searches plans within the budget. Deterministic for a deterministic `measure`.
///
/// 1. The best of `starts`, as measured.
/// 2. In-place losses: each layer in turn gets its own mixer back (or, if it has it, the plan's commonest other one),
///    all else as in the plan; the layer's predicted losses are scaled to what that changes.
/// 3. The plan of least loss by these, found exactly; then moves of one or two layers, the most promising first, each
///    taken at once when it measures better. What a move does otherwise than expected corrects the losses of the
///    layers it touched.
/// 4. From 2 again while that improved the plan and measurements are left.
JointSearchResult joint_search(const Planner& planner, const Budget& budget, const CostModel* cost,
                               const std::vector<std::vector<MixerSpec>>& starts, const MeasurePlan& measure,
                               const JointSearchOptions& options = {});

}  // namespace layerboost
