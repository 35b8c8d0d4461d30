// Finds added tokens ("<|im_start|>") in raw text.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

/// Immutable; safe to use from several threads.
class AddedTokenMatcher {
 public:
  struct Match {
    std::size_t begin = 0, end = 0;  // with the white space that lstrip and rstrip take in, up to the next token
    TokenId id = -1;                 // -1: none; then begin and end are the text's size
    std::size_t token = 0;           // where its own first byte is
  };

  /// Requires: no content is empty.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  /// The first match at or after `from` whose token begins before `before`; the longest token where several begin at
  /// the same place. One that must be a word of its own and isn't hides those that begin within it.
  [[nodiscard]] Match find(std::string_view text, std::size_t from, std::size_t before = std::string_view::npos) const;

  /// The length of the longest end of `text` that a token begins with; 0: none.
  [[nodiscard]] std::size_t beginning_at_end(std::string_view text) const;

 private:
  [[nodiscard]] const AddedToken* longest_at(std::string_view text) const;
  [[nodiscard]] const AddedToken* token_at(std::string_view text, std::size_t& at) const;
  [[nodiscard]] std::size_t end_of_space(std::string_view text, std::size_t at) const;

  std::vector<AddedToken> tokens_;         // sorted by content
  std::array<bool, 256> first_byte_ = {};  // whether any begins with it
  std::size_t longest_ = 0;                // bytes of a content
};

}  // namespace layerboost
