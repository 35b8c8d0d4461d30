// Reading texts by a grammar, byte by byte: the states in which a text may be, found as they are needed and kept.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "grammar/grammar.h"

namespace layerboost {

/// A state is all the places of the grammar where a text may be, each with the rules that called for it. For one thread
/// at a time.
class Automaton {
 public:
  using Place = std::pair<int, int>;  // node, index of its callers
  /// What a state is, for as long as the automaton lives. Sorted places, all that have edges or plain_left.
  struct Places {
    std::vector<Place> places;
    bool accepts = false;
    bool operator<(const Places& other) const {
      return std::tie(accepts, places) < std::tie(other.accepts, other.places);
    }
  };

  static constexpr int dead = -1;      // no text that fits begins like this
  static constexpr int too_much = -2;  // the grammar leaves too much open at once: nobody can say

  explicit Automaton(Grammar grammar);

  [[nodiscard]] int start() const { return start_; }
  /// The state after one byte more; dead and too_much stay as they are.
  int next(int state, std::uint8_t byte);
  /// Whether a text that came here fits as it is.
  [[nodiscard]] bool accepts(int state) const { return at(state).is.accepts; }
  /// Whether nothing may follow.
  [[nodiscard]] bool is_last(int state) const { return at(state).is.places.empty(); }
  /// Node::plain_left where it holds for the whole state; -1: it doesn't.
  [[nodiscard]] int plain_left(int state) const { return at(state).plain_left; }

  /// Places that were gone through, ever: what finding states has taken of time.
  [[nodiscard]] std::size_t looked_at() const { return looked_at_; }
  /// What states have taken of memory since forget(), in numbers of some four bytes.
  [[nodiscard]] std::size_t room() const { return room_; }
  /// Forgets all states; the start is another one afterwards, and so is the state of any places.
  void forget();
  [[nodiscard]] const Places& places(int state) const { return at(state).is; }
  int state_of(Places places);

 private:
  struct State {
    Places is;
    int plain_left = -1;
    std::vector<int> next;  // [classes]; -3: not looked for yet
  };

  [[nodiscard]] const State& at(int state) const { return states_[static_cast<std::size_t>(state)]; }
  int state_after(std::vector<Place> open);
  int callers(int node, int above);
  [[nodiscard]] int plain_left_of(const std::vector<Place>& places) const;

  Grammar grammar_;
  std::array<std::uint8_t, 256> class_of_{};  // bytes that no edge tells apart
  int classes_ = 0;
  std::vector<int> forwards_;             // [nodes] where a call really goes on
  std::vector<Place> callers_{{-1, -1}};  // who called: where it goes on, whom that was called by; [0]: nobody
  std::map<Place, int> callers_index_;    // of callers_
  std::vector<State> states_;
  std::map<Places, int> states_index_;
  std::size_t looked_at_ = 0, room_ = 0;
  int start_ = dead;
};

}  // namespace layerboost
