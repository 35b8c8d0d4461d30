// The plan of an exported model that has no plan.json, as transformers' save_pretrained() writes it: config.json and
// the weights hold all of it.
#pragma once

#include "base/file.h"
#include "mixer/parameters.h"
#include "model/checkpoint.h"
#include "plan/plan.h"

namespace layerboost {

/// The plan in config.json of `directory`, for the model that lies there. Throws Error.
Plan exported_plan(const Checkpoint& checkpoint, const fs::path& directory);

/// The parameters of the plan's mixers, which lie among the weights as "model.layers.N.KIND.NAME". Throws Error when
/// one is missing or of another shape.
MixerParameters exported_parameters(const Checkpoint& checkpoint, const Plan& plan);

}  // namespace layerboost
