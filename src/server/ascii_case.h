// Words of HTTP, whose letters count alike in both cases: schemes, codings, media types (RFC 9110).
#pragma once

#include <algorithm>
#include <string_view>

namespace layerboost {

/// `c`, small where it is one of A to Z, whatever the locale is.
constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Whether `a` and `b` are alike but for the case of letters. (Where they are, and differ in case, iequals() of
/// Boost 1.74 reads a byte beyond both.)
constexpr bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, ascii_lower, ascii_lower);
}

}  // namespace layerboost
