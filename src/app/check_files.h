// What a long job checks of its arguments before it begins, so that it doesn't fail in its middle.
#pragma once

#include <string>
#include <vector>

#include "base/file.h"

namespace layerboost {

/// Throws Error, beginning with the name of the `option`, unless `path` is a file that can be opened and has something
/// in it. What isn't a regular file, such as a pipe, is only opened when it is needed. Empty: nothing is checked.
void check_input(const std::string& path, const char* option);

/// check_input() of each file of a list, none of whose names may be empty.
void check_inputs(const std::vector<std::string>& paths, const char* option);

/// Throws Error, beginning with the name of the `option`, unless a file can be written to `path`, whose missing folders
/// will be made. "-" is refused. Empty: nothing is checked.
void check_output(const std::string& path, const char* option);

/// Throws Error, beginning with the name of the `option`, unless files can be written into `directory`, which is made
/// if it is missing. "-" is refused.
void check_output_directory(const fs::path& directory, const char* option);

}  // namespace layerboost
