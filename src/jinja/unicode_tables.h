// What Unicode says of characters beyond their category and simple mappings, which utf8proc tells.
#pragma once

#include <string_view>

namespace layerboost::jinja {

/// A character that becomes several in upper case, or at the beginning of a word.
struct FullCase {
  char32_t character;
  std::u32string_view upper, title;
};

/// nullptr: `c` becomes one character.
const FullCase* full_case(char32_t c);

/// Digits that aren't of the category Nd (superscripts), and numbers that aren't of Nd, Nl and No (ideographs).
bool is_other_digit(char32_t c);
bool is_other_number(char32_t c);

/// What counts as lower or upper case without being of the category Ll or Lu.
bool is_other_lower(char32_t c);
bool is_other_upper(char32_t c);

}  // namespace layerboost::jinja
