// Strings and numbers as Python writes them.
#pragma once

#include <string>
#include <string_view>

namespace layerboost::jinja {

/// Writes a string as Python does, with quotes and escapes.
std::string repr_of(std::string_view text);

/// Writes a number as Python's str() and JSON do: the shortest that reads back the same, with a point or an exponent.
std::string number_text(double number);

}  // namespace layerboost::jinja
