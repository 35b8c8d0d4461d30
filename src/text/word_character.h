// Which characters words are made of, as regular expressions see it (\w).
#pragma once

#include <string_view>

namespace layerboost {

/// Whether `valid_utf8` begins, or ends, with a letter, a mark, a number, a connector such as "_", or a joiner.
bool begins_with_word_character(std::string_view valid_utf8);
bool ends_with_word_character(std::string_view valid_utf8);

}  // namespace layerboost
