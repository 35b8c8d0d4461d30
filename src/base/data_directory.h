// Where the files are that come with the program and the library.
#pragma once

#include "base/file.h"

namespace layerboost {

/// The directory with models/ (healed plans) and scripts/ (get-model.sh): $LAYERBOOST_DATA where that is set; else
/// share/layerboost in the directory of the program or shared library that this code is in, or in one of the three
/// above it, as it lies after installation (bin/, lib/, lib/x86_64-linux-gnu/) and in a build tree. Where there is
/// none, the place where one would be.
fs::path data_directory();

}  // namespace layerboost
