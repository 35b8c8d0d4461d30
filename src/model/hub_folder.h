// Names of models in the cache of Hugging Face's own tools.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

inline constexpr std::string_view hub_folder_prefix = "models--", hub_folder_separator = "--";

/// ORG/NAME of the folder models--ORG--NAME; empty when `folder` isn't such a name.
std::string name_of_hub_folder(std::string_view folder);

}  // namespace layerboost
