#include "text/word_character.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"
#include "text/unicode_additions.h"

namespace layerboost {

namespace {

std::string_view category_of(char32_t character) {
  const auto newer = unicode_additions();
  const auto after = std::upper_bound(newer.begin(), newer.end(), character,
                                      [](char32_t c, const UnicodeAddition& addition) { return c < addition.first; });
  if (after != newer.begin() && character <= (after - 1)->last) return (after - 1)->category;
  return utf8proc_category_string(static_cast<utf8proc_int32_t>(character));
}

bool is_word_character(char32_t character) {
  const std::string_view category = category_of(character);
  const bool joiner = character == 0x200C || character == 0x200D;
  const bool circled = std::ranges::any_of(
      circled_letters, [&](const auto& range) { return character >= range.first && character <= range.second; });
  return category[0] == 'L' || category[0] == 'M' || category == "Nd" || category == "Nl" || category == "Pc" ||
         joiner || circled;
}

}  // namespace

bool begins_with_word_character(std::string_view valid_utf8) {
  if (valid_utf8.empty()) return false;
  const Utf8Char first = decode_utf8(valid_utf8);
  return first.kind == Utf8Char::Kind::valid && is_word_character(first.code_point);
}

bool ends_with_word_character(std::string_view valid_utf8) {
  if (valid_utf8.empty()) return false;
  std::size_t begin = valid_utf8.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(valid_utf8[begin]) & 0xC0U) == 0x80) --begin;
  return begins_with_word_character(valid_utf8.substr(begin));
}

}  // namespace layerboost
