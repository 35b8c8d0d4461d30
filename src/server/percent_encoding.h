// Text as it stands in a URL.
#pragma once

#include <string>
#include <string_view>

namespace layerboost {

/// `text` with %XX as the byte that it stands for; what isn't such a code stays.
std::string percent_decoded(std::string_view text);

}  // namespace layerboost
