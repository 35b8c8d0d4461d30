// A run of `layerboost boost`: its steps, each of which leaves a file in the directory and isn't done again while that
// is what the same inputs would make.
#pragma once

#include "app/boost_options.h"
#include "base/print.h"

namespace layerboost {

/// Checks everything, says what it will take and does it; with options.estimate it only says. Throws Error,
/// Interrupted.
void run_boost(BoostOptions options, const Print& print);

}  // namespace layerboost
