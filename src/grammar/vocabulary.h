// A tokenizer's tokens as bytes, sorted so that those which begin alike are read together.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/automaton.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Which tokens of a vocabulary may come next: a bit each, token t is bit t % 64 of word t / 64.
using TokenMask = std::vector<std::uint64_t>;

inline bool is_in(const TokenMask& mask, TokenId token) {
  const auto at = static_cast<std::size_t>(token);
  return at / 64 < mask.size() && (mask[at / 64] >> (at % 64) & 1U) != 0;
}

/// Safe to use from several threads.
class Vocabulary {
 public:
  /// Control tokens aren't in it, as what they say isn't in the text, but for those that are `shown`. `embeddings`: of
  /// the model, which may have fewer tokens than the tokenizer. Requires: `tokenizer` outlives this.
  Vocabulary(const Tokenizer& tokenizer, int embeddings, std::vector<TokenId> shown = {});

  /// Which tokens may come next, and what it takes to find that out where nothing is known yet.
  struct Allowed {
    TokenMask mask;
    std::size_t cost = 0;  // as Automaton::looked_at() counts, about
  };
  /// The tokens that texts in `state` may go on with; of some that aren't looked at one by one, too much may be open
  /// after them. A token loses up to `spaces` in front. An empty mask: too much is open after all that were looked at,
  /// the automaton is spent before all is known, or it costs more than `most`. The automaton may forget states
  /// meanwhile; `state` needn't be held.
  [[nodiscard]] Allowed allowed(Automaton& automaton, int state, int spaces = 0,
                                std::size_t most = static_cast<std::size_t>(-1)) const;
  /// The same, but each token is looked at, so that those after which too much is open aren't among them.
  [[nodiscard]] Allowed allowed_one_by_one(Automaton& automaton, int state, int spaces = 0) const;

  /// The state after a token, which loses up to `spaces` in front, or why there is none; Automaton::dead for those that
  /// aren't in the vocabulary.
  [[nodiscard]] int next(Automaton& automaton, int state, TokenId token, int spaces = 0) const;
  /// How many spaces the next token may lose after this one.
  [[nodiscard]] int spaces_after(TokenId token, int spaces) const;

  [[nodiscard]] int size() const { return size_; }

 private:
  /// What some tokens are made of, or what is left of them.
  struct Characters {
    std::uint32_t contents = 0;  // those that are in any of them: an index of contents_
    std::uint8_t most = 0;       // how many are in the longest of them
  };
  struct Step {  // of a walk through all tokens in the order of their bytes
    std::uint8_t byte;
    std::uint8_t depth;
    std::uint32_t after;             // the step that doesn't begin with what this one ends
    std::uint32_t first_id, end_id;  // tokens that end here, in ids_
    // What the tokens that begin with what this one ends are made of, from their beginning and from here on.
    Characters whole, rest;
  };
  /// The tokens that are made of some characters alone.
  struct MadeOf {
    std::vector<bool> contents;    // [contents_] whether there are no others among these
    std::vector<TokenMask> masks;  // [n]: of at most n characters; the last one: of any number
  };

  /// Which tokens needn't be looked at one by one.
  struct Known {
    std::shared_ptr<const MadeOf> made_of;  // tokens of the state's run; nullptr: none
    int counted = 0;                        // those of up to so many characters are allowed
    bool ends = false;                      // longer ones of ASCII characters aren't
  };

  /// A walk through the tokens, and what it has found.
  struct Walk {
    Automaton& automaton;
    std::size_t most;  // that it may cost
    bool one_by_one;
    std::uint32_t number;
    Allowed found;
    bool too_open = false;  // after some tokens, which aren't in the mask
  };

  [[nodiscard]] TokenMask no_tokens() const { return TokenMask((static_cast<std::size_t>(size_) + 63) / 64); }
  [[nodiscard]] std::string_view spelt(TokenId token) const;
  void add_steps();
  [[nodiscard]] MadeOf find_made_of(const FirstBytes& characters) const;
  [[nodiscard]] std::shared_ptr<const MadeOf> made_of(const FirstBytes& characters) const;
  [[nodiscard]] bool is_known(const Step& step, const Known& known) const;
  [[nodiscard]] bool goes_on_with(const Characters& characters, const CharacterRun& run) const;
  [[nodiscard]] std::uint32_t ids_before(std::uint32_t step) const;
  [[nodiscard]] std::uint32_t space_among(std::uint32_t first, std::uint32_t end) const;
  bool look(Walk& walk, int state, std::uint32_t first, std::uint32_t end, const Known& known) const;
  bool look_behind_spaces(Walk& walk, int state, int spaces) const;
  Allowed look_from(Walk walk, int state, int spaces, const Known& known) const;

  const Tokenizer& tokenizer_;
  int size_;
  std::vector<TokenId> shown_;
  std::vector<TokenId> ids_;        // in the order of their bytes
  std::vector<Characters> tokens_;  // of ids_
  std::vector<Step> steps_;
  std::vector<FirstBytes> contents_;
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<FirstBytes, std::shared_ptr<const MadeOf>>> found_;  // what was asked for last is last
};

}  // namespace layerboost
