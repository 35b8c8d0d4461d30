// A tokenizer's tokens as bytes, sorted so that those which begin alike are read together.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Which tokens of a vocabulary may come next: a bit each, token t is bit t % 64 of word t / 64.
using TokenMask = std::vector<std::uint64_t>;

inline bool is_in(const TokenMask& mask, TokenId token) {
  const auto at = static_cast<std::size_t>(token);
  return (mask[at / 64] >> (at % 64) & 1U) != 0;
}

/// Immutable; safe to use from several threads.
class Vocabulary {
 public:
  /// Control tokens aren't in it, as what they say isn't in the text, but for those that are `shown`. `embeddings`: of
  /// the model, which may have fewer tokens than the tokenizer. Requires: `tokenizer` outlives this.
  Vocabulary(const Tokenizer& tokenizer, int embeddings, std::vector<TokenId> shown = {});

  /// The tokens that texts in `state` may go on with. Empty: there is too much to look at.
  [[nodiscard]] TokenMask allowed(Automaton& automaton, int state) const;

  /// The state after a token; Automaton::dead for those that aren't in the vocabulary.
  [[nodiscard]] int next(Automaton& automaton, int state, TokenId token) const;

  [[nodiscard]] int size() const { return size_; }

 private:
  struct Step {  // of a walk through all tokens in the order of their bytes
    std::uint8_t byte;
    std::uint8_t depth;
    std::uint32_t after;             // the step that doesn't begin with what this one ends
    std::uint32_t first_id, end_id;  // tokens that end here, in `ids` of the walk
  };
  struct Walk {
    std::vector<Step> steps;
    std::vector<TokenId> ids;
  };

  [[nodiscard]] std::string_view spelt(TokenId token) const;
  [[nodiscard]] Walk walk_of(std::vector<TokenId> ids) const;
  bool look(const Walk& walk, Automaton& automaton, int state, TokenMask& mask) const;

  const Tokenizer& tokenizer_;
  int size_;
  std::vector<TokenId> shown_;
  Walk all_, not_plain_;          // of all tokens; of those that aren't counted in plain_
  std::vector<TokenMask> plain_;  // [n]: tokens of at most n characters, all of which a JSON string has unescaped
};

}  // namespace layerboost
