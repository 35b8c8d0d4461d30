// Keeps what people write in messages from becoming control tokens. A chat template puts their words and its own
// control tokens into one text; here the words are marked before it runs, so that they can be told apart afterwards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/tokenizer.h"

namespace layerboost {

/// What a template makes control tokens of by itself isn't told apart: a role inside of one of its own
/// (`<|{{ role }}|>`), a text that it changes (to lower case, say). Immutable; safe to use from several threads.
class PlainMessages {
 public:
  /// Requires: `tokenizer` outlives this.
  explicit PlainMessages(const Tokenizer& tokenizer);

  /// `json` with marks in each of its texts and keys around what would become a control token, and around an end that
  /// may be the beginning of one, but not around the ends of words that templates compare (keys, "role", "type").
  /// Nothing else changes, so that a template finds what it looks for, but for two characters that no text has, U+FDD0
  /// and U+FDD1, which become U+FFFD: they are the marks; and texts that have a control token only once they are
  /// normalised, which are.
  [[nodiscard]] Json marked(const Json& json) const;

  /// A rendered text without the marks, and its tokens: what was marked is plain text, control tokens are the rest's.
  /// Where a template has cut a marked text, no control token begins or ends with what is left of it.
  struct Encoded {
    std::string text;
    std::vector<TokenId> tokens;
  };
  [[nodiscard]] Encoded encode(std::string_view rendered) const;

 private:
  /// `goes_on`: whether its end may be the beginning of a control token.
  [[nodiscard]] std::string marked_text(std::string_view text, bool goes_on) const;
  /// A text that templates compare: one that is a word has no mark at its end.
  [[nodiscard]] std::string marked_name(std::string_view name) const;
  [[nodiscard]] bool is_marked_whole(std::string_view text) const;

  const Tokenizer& tokenizer_;
  AddedTokenMatcher controls_;
};

}  // namespace layerboost
