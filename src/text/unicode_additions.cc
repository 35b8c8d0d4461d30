#include "text/unicode_additions.h"

#include <array>

#include "text/unicode_addition_table.h"

namespace layerboost {
namespace {

// Whether an addition is among the 64 characters from 64 * i on.
constexpr auto blocks = [] {
  std::array<bool, unicode_addition_table.back().last / 64 + 1> has = {};
  for (const UnicodeAddition& addition : unicode_addition_table)
    for (char32_t block = addition.first / 64; block <= addition.last / 64; ++block) has[block] = true;
  return has;
}();

}  // namespace

std::span<const UnicodeAddition> unicode_additions() { return unicode_addition_table; }

bool may_have_unicode_additions(std::string_view valid_utf8) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(valid_utf8[i]); };
  for (std::size_t i = 0; i < valid_utf8.size(); ++i) {
    if (byte(i) < 0xE0) continue;  // ASCII, two bytes, or the middle of a character
    const char32_t block = byte(i) < 0xF0 ? (byte(i) & 15U) << 6U | (byte(i + 1) & 63U)
                                          : (byte(i) & 7U) << 12U | (byte(i + 1) & 63U) << 6U | (byte(i + 2) & 63U);
    if (block < blocks.size() && blocks[block]) return true;
  }
  return false;
}

}  // namespace layerboost
