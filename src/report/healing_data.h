// What the page shows of healing.
#pragma once

#include "base/json.h"

namespace layerboost {

/// From heal.json and log.jsonl in `dir`:
///   {"adapter", "options", "figures", "run", "curve": [[TOKENS, KL]], "measured": [{"tokens", "kl", "perplexity",
///   ...}]}
/// The curve is the mean loss of at most 300 stretches of the run. null where there is no healing, or it is of another
/// plan than `plan_hash`. Throws Error for files that heal didn't write.
Json collect_healing(const fs::path& dir, const std::string& plan_hash);

}  // namespace layerboost
