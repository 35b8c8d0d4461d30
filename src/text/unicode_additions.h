// Characters that are newer than the tables of the libraries in use: Debian 12 has Unicode 14 in PCRE2 and 15 in
// utf8proc, today's tokenizers have 16.
#pragma once

#include <span>
#include <string_view>

namespace layerboost {

/// The characters `first` to `last` have the general category `category` ("Lu", "Nd", ...) and belong to one script.
struct UnicodeAddition {
  char32_t first, last;
  std::string_view category,
      scripts;  // the script's names, with a space between them, in small letters and without "_"
  bool alphabetic, lowercase;
};

/// What Unicode assigned after version 14 and up to 16, in order, and a character that got another category.
std::span<const UnicodeAddition> unicode_additions();

/// Whether a text may have one of them; false for nearly all texts, in little time.
bool may_have_unicode_additions(std::string_view valid_utf8);

}  // namespace layerboost
