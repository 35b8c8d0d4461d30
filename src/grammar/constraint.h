// What the texts of a request must be, in tokens: which ones may come next after those that were written.
#pragma once

#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <utility>

#include "grammar/automaton.h"
#include "grammar/vocabulary.h"

namespace layerboost {

/// How much may be looked at for the texts of a request, so that those of others needn't wait for long: in ways through
/// the grammar (Automaton::looked_at()), of which a millisecond has some 50,000 to 100,000.
struct LookingLimits {
  int sequences = 1;                               // of the request, which share the first and the last of these
  std::size_t saved = std::size_t{1} << 21;        // at the beginning, and at most,
  std::size_t least_saved = std::size_t{1} << 17;  // of which each sequence has so many,
  std::size_t for_token = std::size_t{1} << 14;    // for each token of a sequence,
  std::size_t for_step = std::size_t{1} << 18;     // and while each sequence goes on by one
  AutomatonLimits automaton = {};
};

/// A grammar, and what texts by it may begin with. Never changes.
class Constraint {
 public:
  /// `spaces`: how many the texts lose in front, at most, when their tokens are decoded (Tokenizer::leading_spaces()).
  Constraint(Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary, const LookingLimits& limits = {},
             int spaces = 0);

  /// Whether texts can be written; if not, the grammar leaves too much open where they begin.
  [[nodiscard]] bool can_begin() const { return can_begin_; }
  /// Whether the empty text is the only one.
  [[nodiscard]] bool is_of_nothing() const { return is_of_nothing_; }
  /// What it takes of memory, about. Each guide takes some 15 MiB at most beside it.
  [[nodiscard]] std::size_t bytes() const { return grammar_->bytes(); }

 private:
  friend class Guide;
  struct Mask {
    std::shared_ptr<const TokenMask> tokens;  // nullptr: isn't known
    std::size_t cost = 0;
  };

  const std::shared_ptr<const Grammar> grammar_;
  const std::shared_ptr<const Vocabulary> vocabulary_;
  const LookingLimits limits_;
  const int spaces_;
  bool can_begin_ = false, is_of_nothing_ = false;
  Mask first_;
};

/// More would have to be looked at than LookingLimits allow.
class TooMuchToLookAt : public std::exception {};

/// How far one sequence has come, with the states and masks found on its way: what it says depends on nobody else's.
/// Takes memory once it is asked something.
class Guide {
 public:
  /// `spaces`: that this text loses in front, at most.
  explicit Guide(std::shared_ptr<const Constraint> constraint, int spaces = 0);

  /// Whether `token` may come next; no where the grammar leaves too much open behind it. Throws TooMuchToLookAt.
  [[nodiscard]] bool allows(TokenId token);
  /// The tokens that may; allows() may say no to some of them. nullptr: the grammar leaves too much open behind all
  /// that were looked at, or finding the mask takes more than `most`. Throws TooMuchToLookAt.
  [[nodiscard]] std::shared_ptr<const TokenMask> allowed(std::size_t most = static_cast<std::size_t>(-1));
  /// Exactly those that allows() says yes to; nullptr: too much is open behind all. Throws TooMuchToLookAt.
  [[nodiscard]] std::shared_ptr<const TokenMask> allowed_one_by_one();
  /// What may still be looked at.
  [[nodiscard]] std::size_t left();
  /// Whether the text fits as it is, so that it may end.
  [[nodiscard]] bool may_end();
  /// Whether it must end: nothing fits after it.
  [[nodiscard]] bool must_end();
  /// Goes on by a token. Requires: it is allowed.
  void see(TokenId token);

 private:
  struct Reading {
    explicit Reading(const Constraint& constraint, int spaces);

    Automaton automaton;
    int state;
    const Automaton::Held held{automaton, {&state, 1}};
    std::size_t look_until;
    std::map<std::pair<int, int>, Constraint::Mask> masks;  // by state, and by spaces that are lost in front
    std::size_t age = 0;                                    // of the automaton, whose states the masks are of
  };

  Reading& reading();
  void forget_old_masks();
  std::shared_ptr<const TokenMask> keep(Vocabulary::Allowed found);

  std::shared_ptr<const Constraint> constraint_;
  int spaces_;  // that the next token loses, at most
  std::unique_ptr<Reading> reading_;
};

}  // namespace layerboost
