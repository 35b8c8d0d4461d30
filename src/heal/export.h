// Exported models: a planned (and healed) model as a Hugging Face directory that needs nothing else.
#pragma once

#include "base/file.h"

namespace layerboost {

/// Whether `path` is a directory whose config.json says that layerboost exported it.
bool is_exported_directory(const fs::path& path);

}  // namespace layerboost
