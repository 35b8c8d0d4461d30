// A run of `layerboost boost`: analyze, plan, heal, eval, bench and report, one after the other. Each step leaves a
// file in the directory and isn't done again while that is what the same inputs would make. What is asked for is in
// BoostOptions (app/boost_options.h); tables and results go to a Print. Flags are the command line's, and unknown here.
#pragma once

#include "app/boost_options.h"
#include "base/print.h"

namespace layerboost {

/// Checks everything, says what it will take and does it; with options.estimate it only says. Throws Error,
/// Interrupted.
void run_boost(BoostOptions options, const Print& print);

}  // namespace layerboost
