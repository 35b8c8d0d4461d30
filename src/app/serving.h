// What `serve` serves: a model, opened with its ladder where it has one that is to be used, and which of the ladder's
// levels requests may get. How such a choice is written, and what a limit of quality means, is app/serving_levels.h's;
// engine and server are made by who calls this.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/compute_options.h"
#include "app/serving_levels.h"
#include "artifact/ladder.h"
#include "artifact/opened_model.h"
#include "engine/levels.h"
#include "server/level_table.h"

namespace layerboost {

/// The name that a model has for clients unless it is given another: "models/smollm2-135m.gguf" is served as
/// "smollm2-135m", a part of a split one by the name that all parts have, "." by the name of this directory.
std::string served_name(const std::string& model);

/// Threads to serve with, where `asked` are asked for, 0 being one per core. Where there are many cores, one is kept
/// for the event loop; where there are few, it would be missed.
int serving_threads(int asked);

/// Lets this process have as many open files as the system allows it: each connection is one.
void allow_many_files();

/// A model that is served.
struct Served {
  OpenedModel opened;
  std::optional<Ladder> ladder;         // none: the model has none, or it isn't to be used
  std::vector<const MixerList*> plans;  // by level; they live as long as `opened.mixers`
  std::vector<std::string> hashes;      // of the plans of all levels
};

/// Opens what is served: `model` with its ladder, or as find_model_files() finds it with `plan` (empty: the one that it
/// comes with). A ladder that lies with the model is used even where `mode` is off, so that requests can name levels;
/// any other mode needs one, and takes no plan. The model's files are closed. Throws Error.
Served open_served(const std::string& model, const std::string& plan, LevelMode mode, const ComputeOptions& compute);

/// The levels that requests may get, and what keeps the others from them.
struct ServedLevels {
  LevelOptions options;  // the engine's
  QualityLimits limits;  // what the levels keep that load gives
  bool limited = false;  // whether requests can't ask for levels that lose more either
};

/// Settles which levels of the ladder requests may get, and takes the plans of those that they can't out of `served`.
/// `wanted`: but for what only the ladder knows. `asked`: the limits of quality, for all levels; none: usual_limits(),
/// for those that load gives. Throws Error for a fixed level that the ladder doesn't have, or that the limits forbid.
/// Requires: `served` has a ladder.
ServedLevels limit_levels(Served& served, const LevelOptions& wanted, const std::optional<QualityLimits>& asked);

/// A sentence where what the ladder says of its levels was measured in another precision, or with other caches, than
/// they are served with; else empty. Requires: `served` has a ladder.
std::string measured_otherwise(const Served& served, const ComputeOptions& compute);

/// What the server tells of the levels, one entry for each plan of `served`. `options`: the engine's. Requires:
/// `served` has a ladder.
LevelTable level_table(const Served& served, const LevelOptions& options);

}  // namespace layerboost
