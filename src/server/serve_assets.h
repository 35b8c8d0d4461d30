// The files of the live page, built into the program (web/serve.*; see cmake/embed.cmake).
#pragma once

#include <span>

#include "base/asset.h"

namespace layerboost {

std::span<const Asset> serve_assets();

}  // namespace layerboost
