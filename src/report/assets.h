// The parts of the page that are built into the program: the files of web/ and Chart.js.
#pragma once

#include <span>
#include <string_view>

namespace layerboost {

struct Asset {
  std::string_view name;   // the file's name, such as "report.css"
  std::string_view bytes;  // live as long as the program
};

/// All of them; written at build time by cmake/embed.cmake.
std::span<const Asset> embedded_assets();

/// The bytes of the one called `name`, which must be there.
std::string_view asset(std::string_view name);

}  // namespace layerboost
