// Whether the plan in a directory of boost is the one that a command asks for. A plan that is there is never replaced.
#pragma once

#include <optional>
#include <string>

#include "app/boost_options.h"
#include "artifact/boosted_directory.h"

namespace layerboost {

/// Returns all that decides which plan boost makes, by the names of options: the budget, what is analysed, precision
/// and seed; or {"ready-made": HASH} where the plan with this hash, which comes with the program, is used.
Json plan_options_json(const BoostOptions& options, const std::optional<std::string>& ready_made);

/// Returns whether `directory` holds a plan, which is then kept; tells the user where that was changed by hand. Throws
/// Error, naming what differs and what can be done, where it was made with other options than `wanted`, or boost didn't
/// make it while `asked` for one.
bool keeps_plan(const fs::path& directory, const PlanRecord& made, const Json& wanted, bool asked);

}  // namespace layerboost
