// The directory that a ladder is made in: what lies there already, what of it the ladder goes on from, and the files of
// level 0 beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "artifact/ladder.h"
#include "artifact/model_files.h"
#include "artifact/plan.h"
#include "base/file.h"
#include "base/json.h"

namespace layerboost {

/// A ladder that is to be made. Requires: what references lead to outlives the call.
struct LadderStart {
  const Ladder& ladder;                // without rungs: the model, level 0, and the options, "rungs" among them
  const ModelFiles& files;             // of level 0
  const std::optional<Plan>& level_0;  // nothing: the unchanged model
  int rungs = 1;                       // that it is to have
  bool trained = false;  // whether each rung is trained on top of those before it, and so goes on from them
};

/// What a ladder goes on from.
struct LadderFound {
  bool copies = false;           // whether the files of level 0 lie elsewhere, and are to be copied
  bool complete = false;         // whether all rungs are there
  std::optional<Ladder> ladder;  // the directory's, where its rungs are kept
  // Of a ladder whose rungs are chosen anew, because it becomes longer or shorter: its levels may be the same.
  std::vector<std::optional<LevelQuality>> quality;
  Json measured_on = Json::object();
};

/// Looks at what lies in `directory`. Throws Error where that is somebody else's: another model's or another plan's
/// ladder, one that was made with other options, or anything that isn't a ladder.
LadderFound look_at_ladder_directory(const fs::path& directory, const LadderStart& start);

/// Tells rungs that were edited by hand from those that were chosen: the ladder's option "chosen" is that of these.
std::string rungs_hash(const std::vector<Rung>& rungs);

/// Puts the plan that a ladder stands on, and what healing learnt for it, beside the ladder. Throws Error.
void copy_level_0(const fs::path& directory, const ModelFiles& files, const Plan& level_0);

}  // namespace layerboost
