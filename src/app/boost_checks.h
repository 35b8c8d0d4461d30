// What `boost` checks before it begins: a night's work must not end at its last step because of a flag.
#pragma once

#include "app/boost_options.h"
#include "plan/cost_model.h"

namespace layerboost {

/// All that can be seen of the options alone: words, numbers, files that must be there, places to write to. Throws
/// Error.
void check_boost(const BoostOptions& options);

/// Lengths that nobody asked for become those that fit the model. Throws Error for those that were asked for and don't,
/// and for budgets that no plan of the model can meet but for a speedup.
void fit_to_model(BoostOptions& options, const Config& config);

/// What the loaded model decides: the lengths of the texts that facts are found in, and the speedup by `cost` (nullptr where none is
/// asked for). Throws Error.
void check_with_model(const BoostOptions& options, const Model& model, const CostModel* cost);

}  // namespace layerboost
