// What the page shows, as one JSON object.
#pragma once

#include "base/json.h"

namespace layerboost {

/// Reads the files that `layerboost boost` left in `dir`:
///   {"format": "layerboost-report", "version": 1, "written_by", "boost": boost.json,
///    "analysis": analysis.json?, "plan": plan.json?, "plan_hash": Plan::hash()?, "curve": curve.json?,
///    "healing": {"adapter", "options", "figures", "run", "curve": [[TOKENS, KL]], "measured": [...]}?,
///    "quality": [{"name": NAME, "result": quality.NAME.json}], "speed": [{"name": NAME, "result": speed.NAME.json}]}
/// NAME is a state of the model: "base" first, then "plan", then others such as "healed" by the alphabet. The analysis
/// comes without the "differences" per sequence, which fill most of it. Throws Error when `dir` or boost.json is
/// missing, a file is not what its format says, is of another model than boost.json, or was measured with another plan
/// than plan.json.
Json collect_report(const fs::path& dir);

}  // namespace layerboost
