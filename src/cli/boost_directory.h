// A directory that `layerboost boost` wrote: boost.json names the model, the other files hold what was made of it.
#pragma once

#include <string>

#include "base/file.h"
#include "base/json.h"

namespace layerboost {

struct BoostDirectory {
  std::string model_name;  // for people
  fs::path model_path;     // absolute
  std::string model_hash;  // Checkpoint::hash()
};

/// Whether `path` is a directory with a boost.json.
bool is_boost_directory(const fs::path& path);

/// Throws Error when boost.json isn't what boost writes.
BoostDirectory read_boost_directory(const fs::path& path);

/// Writes boost.json with the run object `run`.
void write_boost_directory(const fs::path& path, const BoostDirectory& directory, const Json& run);

}  // namespace layerboost
