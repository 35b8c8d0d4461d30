// Files that exported models may carry: the Python code, src/export/*.py, and LICENSE, for base models that are
// under the Apache License 2.0.
#pragma once

#include <span>

#include "base/asset.h"

namespace layerboost {

/// All of them; written at build time by cmake/embed.cmake.
std::span<const Asset> export_code();

}  // namespace layerboost
