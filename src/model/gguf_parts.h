// Models that are split into several GGUF files, which belong together by their names.
#pragma once

#include <optional>
#include <string>

#include "base/file.h"

namespace layerboost {

/// How the name of part `part` (from 0) of `parts` ends: "-00002-of-00005.gguf".
std::string gguf_part_ending(int part, int parts);

/// The first part of the model that `path`, by its name, is a later part of; nothing for other names.
std::optional<fs::path> first_gguf_part(const fs::path& path);

/// The file's name without ".gguf", and without what says which part of a model it is.
std::string gguf_model_name(const fs::path& path);

}  // namespace layerboost
