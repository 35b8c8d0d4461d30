// The flags that say which plan is wanted, shared by `plan` and `boost`.
#pragma once

#include <string>

#include "app/plan_maker.h"

namespace CLI {
class App;
}

namespace layerboost {

/// Adds the flags of the budget and the search: all but by, context, text and model. PlanOptions::command becomes
/// plan_command_line(). Requires: `options` lives until the command line is parsed and run.
void add_plan_options(CLI::App& command, PlanOptions& options);

/// The command line that makes the plan of these options from the analysis in a file of this name: "layerboost plan
/// analysis.json -o plan.json --keep 0,1 --kv 0.3000". It has what stands in the command of a curve's point: by,
/// retrieval_weight, context, softmax, none, keep and kv, each where it isn't as it comes.
std::string plan_command_line(const std::string& analysis, const PlanOptions& options);

}  // namespace layerboost
