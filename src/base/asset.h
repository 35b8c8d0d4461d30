// Files that are built into the program (cmake/embed.cmake).
#pragma once

#include <algorithm>
#include <span>
#include <string_view>

#include "base/error.h"

namespace layerboost {

struct Asset {
  std::string_view name;   // the file's name, such as "report.css"
  std::string_view bytes;  // live as long as the program
};

/// The bytes of the one called `name`. Requires: there is such a one.
inline std::string_view bytes_of(std::span<const Asset> assets, std::string_view name) {
  const auto found = std::ranges::find(assets, name, &Asset::name);
  LB_CHECK(found != assets.end());
  return found->bytes;
}

}  // namespace layerboost
