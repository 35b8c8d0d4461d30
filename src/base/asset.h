// Files that are built into the program (cmake/embed.cmake).
#pragma once

#include <string_view>

namespace layerboost {

struct Asset {
  std::string_view name;   // the file's name, such as "report.css"
  std::string_view bytes;  // live as long as the program
};

}  // namespace layerboost
