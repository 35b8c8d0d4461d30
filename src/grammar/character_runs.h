// Runs of characters: what a grammar's nodes let go on whatever the characters are, so that those who read a vocabulary
// by the grammar need not look at each token of such characters.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "grammar/grammar.h"

namespace layerboost {

/// Characters, told apart by the byte that they begin with in UTF-8.
class FirstBytes {
 public:
  void add(std::uint8_t byte) { words_[byte / 64U] |= std::uint64_t{1} << byte % 64U; }
  [[nodiscard]] bool has(std::uint8_t byte) const { return (words_[byte / 64U] >> byte % 64U & 1U) != 0; }
  [[nodiscard]] int count() const {
    int sum = 0;
    for (const std::uint64_t word : words_) sum += std::popcount(word);
    return sum;
  }
  [[nodiscard]] bool is_ascii() const { return (words_[2] | words_[3]) == 0; }
  [[nodiscard]] bool is_within(const FirstBytes& other) const { return common(other) == *this; }
  [[nodiscard]] FirstBytes common(const FirstBytes& other) const {
    FirstBytes both;
    for (std::size_t i = 0; i < words_.size(); ++i) both.words_[i] = words_[i] & other.words_[i];
    return both;
  }
  FirstBytes& operator|=(const FirstBytes& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  auto operator<=>(const FirstBytes&) const = default;

 private:
  std::array<std::uint64_t, 4> words_{};
};

/// Any text of up to `length` characters of `of` may follow, the last one of which may be cut short; other texts may,
/// too.
struct CharacterRun {
  FirstBytes of;
  int length = 0;

  /// What it is worth to know it.
  [[nodiscard]] int weight() const;
  /// This, after one character of `by`.
  [[nodiscard]] CharacterRun after(const FirstBytes& by) const;
};

/// The runs of a grammar's nodes, found as they are needed. For one thread at a time.
class CharacterRuns {
 public:
  /// Requires: `grammar` outlives this and doesn't change.
  explicit CharacterRuns(const Grammar& grammar);
  CharacterRuns(const CharacterRuns&) = delete;
  CharacterRuns& operator=(const CharacterRuns&) = delete;

  /// A run of what follows `node` in its rule; its length is 0 where there is none.
  CharacterRun from(int node);
  /// Characters that may follow `node` and end its rule, each by itself.
  const FirstBytes& ending(int node) { return ending(node, 0); }
  /// What finding them has taken of time, ever, in ways that were looked at.
  [[nodiscard]] std::size_t looked_at() const { return looked_at_; }

 private:
  struct Found {               // of a node
    int run = -1, length = 0;  // what it is of, in sets_; -1: not looked for yet
    int ending = -1;           // in sets_; -1: not looked for yet
  };
  struct Step {  // by one character
    int to = -1;
    FirstBytes by;
  };

  const FirstBytes& ending(int node, int depth);
  [[nodiscard]] std::vector<int> reached(int node) const;
  [[nodiscard]] std::vector<Step> steps(int node, int depth);
  [[nodiscard]] Step widest_step(int node);
  [[nodiscard]] int after_bytes(int node, std::uint8_t low, std::uint8_t high, int bytes) const;
  [[nodiscard]] int after_first_byte(std::uint8_t byte, int node) const;

  Found& at(int node) { return found_[static_cast<std::size_t>(node)]; }
  [[nodiscard]] const FirstBytes& set(int index) const { return sets_[static_cast<std::size_t>(index)]; }
  int kept(const FirstBytes& set);

  const Grammar& grammar_;
  std::vector<Found> found_;  // [nodes]
  std::deque<FirstBytes> sets_;
  std::map<FirstBytes, int> sets_index_;
  std::size_t looked_at_ = 0;
};

}  // namespace layerboost
