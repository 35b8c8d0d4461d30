// JSON Schema's "format" as regular expressions.
#pragma once

#include <string_view>

namespace layerboost {

/// An expression that matches texts of this format only, if not all of them; empty: it isn't known.
std::string_view regex_of_format(std::string_view format);

}  // namespace layerboost
