// The parts of the page that are built into the program: the files of web/ and Chart.js.
#pragma once

#include <span>
#include <string_view>

#include "base/asset.h"

namespace layerboost {

/// All of them; written at build time by cmake/embed.cmake.
std::span<const Asset> embedded_assets();

/// The bytes of the one called `name`, which must be there.
std::string_view asset(std::string_view name);

}  // namespace layerboost
