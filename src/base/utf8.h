// UTF-8 as untrusted bytes: decoding, validity, white space.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace layerboost {

/// What stands at the start of some bytes.
struct Utf8Char {
  enum class Kind {
    valid,
    invalid,   // these bytes can't be part of a character, whatever follows
    truncated  // the bytes end inside a character that could still become valid
  };
  Kind kind = Kind::invalid;
  char32_t code_point = 0;  // of a valid character
  std::size_t length =
      0;  // bytes; where not valid: the maximal subpart (Unicode 15, section 3.9), which one U+FFFD replaces
};

/// Decodes the first character of `text`. Surrogates, overlong forms and code points above U+10FFFF are invalid.
/// Requires: `text` isn't empty.
Utf8Char decode_utf8(std::string_view text);

/// Bytes of the longest prefix of `text` that is valid UTF-8.
std::size_t valid_utf8_prefix(std::string_view text);

/// Appends `code_point` (a Unicode scalar value) in UTF-8.
void append_utf8(char32_t code_point, std::string& out);

/// Unicode's White_Space property.
bool is_white_space(char32_t code_point);

/// Bytes of white space that `text` begins or ends with.
std::size_t leading_white_space(std::string_view text);
std::size_t trailing_white_space(std::string_view text);

}  // namespace layerboost
