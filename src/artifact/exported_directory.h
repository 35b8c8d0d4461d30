// A directory that `layerboost export` wrote. Where it has no plan.json, as after transformers' save_pretrained(),
// config.json and the weights hold all of the plan.
#pragma once

#include "artifact/plan.h"
#include "base/file.h"
#include "mixer/parameters.h"
#include "model/checkpoint.h"

namespace layerboost {

/// Whether `path` is a directory whose config.json says that layerboost exported it.
bool is_exported_directory(const fs::path& path);

/// The plan in config.json of the exported directory that was opened. Throws Error for mixers that don't exist, or that
/// its weights leave nothing for.
Plan exported_plan(const Checkpoint& checkpoint);

/// The parameters of the plan's mixers, which lie among the weights as "model.layers.N.KIND.NAME". Throws Error when
/// one is missing or of another shape.
MixerParameters exported_parameters(const Checkpoint& checkpoint, const Plan& plan);

}  // namespace layerboost
