// What the page shows, as one JSON object.
#pragma once

#include "base/file.h"
#include "base/json.h"

namespace layerboost {

/// Reads the files that `layerboost boost` or `layerboost ladder` left in `dir`:
///   {"format": "layerboost-report", "version": 1, "written_by", "boost": boost.json?, "ladder": ladder.json?,
///    "analysis": analysis.json?, "plan": plan.json?, "plan_hash": Plan::hash()?,
///    "beside_tokens": [{"from": TOKENS, "bytes"} or null]?, "curve": curve.json?,
///    "healing": {"adapter", "options", "figures", "run", "curve": [[TOKENS, KL]], "measured": [...]}?,
///    "quality": [{"name": NAME, "result": quality.NAME.json}], "speed": [{"name": NAME, "result": speed.NAME.json}]}
/// NAME is a state of the model: "base" first, then "plan", then others such as "healed" by the alphabet. The analysis
/// comes without the "differences" per sequence, which fill most of it; the ladder with the figures of those levels
/// only that are as they were measured, and read from the directory `ladder` where one is given. "beside_tokens" is
/// what each layer keeps beside keys and values, from so many tokens on; it is there with plan and analysis. A
/// directory that has a ladder but no boost.json gives the ladder and the analysis alone. Throws Error when `dir` is
/// missing or neither command wrote it, a file is not what its format says, is of another model than the rest, or was
/// measured with another plan than plan.json.
Json collect_report(const fs::path& dir, const fs::path& ladder = {});

}  // namespace layerboost
