// The flags that say which plan is wanted, shared by `plan` and `boost`.
#pragma once

#include "app/plan_maker.h"

namespace CLI {
class App;
}

namespace layerboost {

/// The budget and the search: all but by, context, text and model. `options` must live until the command line is parsed
/// and run.
void add_plan_options(CLI::App& command, PlanOptions& options);

}  // namespace layerboost
