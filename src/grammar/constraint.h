// What the texts of a request must be, in tokens: which ones may come next after those that were written.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

#include "grammar/automaton.h"
#include "grammar/vocabulary.h"

namespace layerboost {

/// What sequences that are to fit the same grammar share: the states and masks found so far. Thread-safe.
class Constraint {
 public:
  Constraint(Grammar grammar, std::shared_ptr<const Vocabulary> vocabulary);

  /// Whether it can be said how texts begin; if not, the grammar leaves too much open there, and none can be written.
  [[nodiscard]] bool can_begin() const { return can_begin_; }
  /// What the grammar takes of memory, about. States and masks, found while texts are written, add 50 MiB at most.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  friend class Guide;
  const std::size_t bytes_;
  const std::shared_ptr<const Vocabulary> vocabulary_;
  std::mutex mutex_;
  Automaton automaton_;
  const bool can_begin_;
  std::unordered_map<int, std::shared_ptr<const TokenMask>> masks_;  // by state
  std::size_t age_ = 0;  // how often all this was forgotten, for want of room
};

/// How far one sequence has come. Thread-safe as far as others' guides go.
class Guide {
 public:
  explicit Guide(std::shared_ptr<Constraint> constraint);

  /// Whether `token` may come next.
  [[nodiscard]] bool allows(TokenId token);
  /// The tokens that may; nullptr: the grammar leaves too much open to be looked at.
  [[nodiscard]] std::shared_ptr<const TokenMask> allowed();
  /// Whether the text fits as it is, so that it may end.
  [[nodiscard]] bool may_end();
  /// Whether it must end: nothing fits after it.
  [[nodiscard]] bool must_end();
  /// Goes on by a token. Requires: it is allowed.
  void see(TokenId token);

 private:
  int state();

  std::shared_ptr<Constraint> constraint_;
  Automaton::Places places_;  // to find the state by, when it was forgotten
  int state_;
  std::size_t age_;
};

}  // namespace layerboost
