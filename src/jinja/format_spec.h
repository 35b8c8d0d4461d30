// How Python lays out one value: format(value, ">8,.2f"). Also for "%8.2f", whose fields mean the same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "jinja/value.h"

namespace layerboost::jinja {

/// The parts of Python's format specification mini-language.
struct FormatSpec {
  std::string fill = " ";
  char align = '\0';       // '<', '>', '^', '=' (between sign and digits); '\0': the type's own
  char sign = '-';         // '+', ' ' or '-': what stands before what isn't negative
  bool alternate = false;  // "#"
  bool zeros = false;      // "0" without an alignment: that of numbers is "="
  std::size_t width = 0;
  char grouping = '\0';  // ',' or '_' between thousands
  int precision = -1;    // -1: not given
  char type = '\0';      // '\0': the value's own
};

/// Throws TemplateError for what isn't one, and for widths and precisions that no text needs.
FormatSpec parse_format_spec(std::string_view text);

/// `value` as `given` has it. Throws TemplateError where that isn't for such a value.
std::string formatted(const Value& value, const FormatSpec& given);

}  // namespace layerboost::jinja
