#include "eval/python_strings.h"

#include <algorithm>
#include <array>

namespace layerboost {
namespace {

bool continues_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// The spaces of one, two and three bytes in UTF-8.
bool is_white_space(std::string_view character) {
  if (character.size() == 1)
    return (character[0] >= '\t' && character[0] <= '\r') || (character[0] >= 0x1C && character[0] <= ' ');
  if (character.size() == 2) return character == "\u0085" || character == "\u00A0";
  constexpr std::array<std::string_view, 6> others = {"\u1680", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};
  return (character >= "\u2000" && character <= "\u200A") ||
         std::find(others.begin(), others.end(), character) != others.end();
}

}  // namespace

std::string_view rstrip(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t start = end - 1;
    while (start > 0 && continues_character(text[start])) --start;
    if (!is_white_space(text.substr(start, end - start))) break;
    end = start;
  }
  return text.substr(0, end);
}

std::size_t code_points(std::string_view text) {
  return text.size() - static_cast<std::size_t>(std::count_if(text.begin(), text.end(), continues_character));
}

}  // namespace layerboost
