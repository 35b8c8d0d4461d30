// The loss-cost curve of one model, for the report's slider, and its knee.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/planner.h"

namespace layerboost {

struct FrontierPoint {
  std::vector<MixerSpec> specs;  // [L]
  double loss = 0;               // predicted
  double kv_fraction = 1;        // of the unchanged model's cache, at the planner's context
  double kv_bytes_per_token = 0;
  std::optional<double> speedup;  // predicted, of a decode step; only with a cost model
};

/// Between `most` / 2 and `most` points of Planner::curve(), evenly over the square root of the memory (where little
/// is left the plans differ more), the unchanged model first and the least memory last; fewer where the curve has
/// fewer. Counts and kept layers of `budget` hold for all of them.
std::vector<FrontierPoint> frontier(const Planner& planner, const Budget& budget, const CostModel* cost,
                                    const SpeedTarget& speed, int most = 48);

/// The plan with the best trade: of the points of `curve`, the one farthest below the straight line between its ends,
/// both axes (share of memory; predicted loss) taken as 0 to 1. Points that lose more than ln 2 don't take part
/// when the loss is in nats (kl, nll, retrieval): there perplexity has doubled, and how far the curve rises beyond says
/// nothing about the plans that one would use.
PlanChoice knee(const Planner& planner, const std::vector<PlanChoice>& curve);

/// Says how to ask for a plan that uses at most this share of the unchanged model's memory.
using PointCommand = std::function<std::string(double kv)>;

/// {"points": [{"layers": ["softmax", "window:64+4", ...], "loss", "kv_fraction", "kv_bytes_per_token", "speedup"?,
/// "chosen", "command"?}], "context", "batch"?}: what the report draws. `chosen`: the plan's mixers, added as a point
/// when the curve lacks it. `command`: how a point's plan is asked for, by a share with four digits after the point;
/// empty: nobody says. Throws Error for a chosen mixer without a score.
Json frontier_json(const std::vector<FrontierPoint>& points, const Planner& planner,
                   const std::vector<MixerSpec>& chosen, const PointCommand& command, const CostModel* cost,
                   const SpeedTarget& speed);

}  // namespace layerboost
