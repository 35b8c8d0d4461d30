#include "model/hub_folder.h"

namespace layerboost {

std::string name_of_hub_folder(std::string_view folder) {
  if (!folder.starts_with(hub_folder_prefix)) return {};
  std::string name(folder.substr(hub_folder_prefix.size()));
  if (const std::size_t at = name.find(hub_folder_separator); at != std::string::npos)
    name.replace(at, hub_folder_separator.size(), "/");
  return name;
}

}  // namespace layerboost
