// Whether the plan in a directory of boost is the one that a command asks for. A plan that is there is never replaced.
#pragma once

#include <optional>
#include <string>

#include "app/boost_options.h"
#include "artifact/boosted_directory.h"

namespace layerboost {

/// By the names of options, all that decides which plan boost makes: the budget, what is analysed, precision and seed;
/// or {"ready-made": HASH} where the plan with this hash, which comes with the program, is used.
Json plan_options_json(const BoostOptions& options, const std::optional<std::string>& ready_made);

/// Throws Error, naming what differs and what can be done, where `directory` holds a plan that was made with other
/// options than `wanted`, or that boost didn't make while `asked` for one. Whether there is a plan, which is then kept;
/// one that was changed by hand is said to be.
bool keeps_plan(const fs::path& directory, const PlanRecord& made, const Json& wanted, bool asked);

}  // namespace layerboost
