// Strings and numbers as Python writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace layerboost::jinja {

/// Whether repr_of() writes a character (-1: a byte that is none) as it is.
bool is_printable(std::int32_t c);

/// Writes a string as Python does, with quotes and escapes.
std::string repr_of(std::string_view text);

/// Writes a number as Python's str() and JSON do: the shortest that reads back the same, with a point or an exponent.
std::string number_text(double number);

}  // namespace layerboost::jinja
