// What lies in a directory, for looking around: what can't be read counts as empty.
#pragma once

#include <vector>

#include "base/file.h"

namespace layerboost {

/// The directories in `directory`, by links too, sorted.
std::vector<fs::path> folders_in(const fs::path& directory);

/// The regular files in `directory` with this extension (".gguf"), by links too, sorted.
std::vector<fs::path> files_in(const fs::path& directory, const char* extension);

/// `path`, or the folder nearest above it that is there.
fs::path nearest_folder(const fs::path& path);

}  // namespace layerboost
