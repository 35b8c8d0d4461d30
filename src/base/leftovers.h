// What a process that was killed leaves of the files that it was writing.
#pragma once

#include "base/file.h"

namespace layerboost {

/// Removes from `directory` (not from the folders in it) what write_file() and FileWriter had begun for processes that
/// are gone, killed on the way: NAME.tmpPID, where NAME begins with `prefix` and ends as the files of this program do.
/// A directory that isn't there has none.
void remove_leftovers(const fs::path& directory, std::string_view prefix = {});

}  // namespace layerboost
