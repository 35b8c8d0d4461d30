// The flags of a sensitivity sweep, shared by `analyze` and `boost`.
#pragma once

#include "app/analysis.h"

namespace CLI {
class App;
}

namespace layerboost {

/// Adds those flags to a subcommand. Requires: `options` lives until the command line is parsed and run.
void add_analyze_options(CLI::App& command, AnalyzeOptions& options);

}  // namespace layerboost
