// Which characters words are made of, as regular expressions see it (\w).
#pragma once

#include <array>
#include <string_view>
#include <utility>

namespace layerboost {

/// Symbols that Unicode calls alphabetic: letters in circles and squares, from the first of each pair to the second.
inline constexpr std::array circled_letters = {
    std::pair<char32_t, char32_t>{0x24B6, 0x24E9}, std::pair<char32_t, char32_t>{0x1F130, 0x1F149},
    std::pair<char32_t, char32_t>{0x1F150, 0x1F169}, std::pair<char32_t, char32_t>{0x1F170, 0x1F189}};

/// Whether `valid_utf8` begins, or ends, with a letter, a mark, a number, a connector such as "_", or a joiner.
bool begins_with_word_character(std::string_view valid_utf8);
bool ends_with_word_character(std::string_view valid_utf8);

}  // namespace layerboost
