// The Python code that exported models carry: src/heal/export/*.py.
#pragma once

#include <span>

#include "base/asset.h"

namespace layerboost {

/// All of them; written at build time by cmake/embed.cmake.
std::span<const Asset> export_code();

}  // namespace layerboost
