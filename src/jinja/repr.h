// Strings and numbers as Python writes them.
#pragma once

#include <string>
#include <string_view>

namespace layerboost::jinja {

/// As Python writes a string with quotes and escapes.
std::string repr_of(std::string_view text);

/// As Python's str() and JSON write a number: the shortest that reads back the same, with a point or an exponent.
std::string number_text(double number);

}  // namespace layerboost::jinja
