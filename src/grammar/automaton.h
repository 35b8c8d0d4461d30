// Reading texts by a grammar, byte by byte: the states in which a text may be, found as they are needed and kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "grammar/character_runs.h"
#include "grammar/grammar.h"
#include "grammar/number_index.h"
#include "grammar/place_set.h"

namespace layerboost {

/// How much an automaton keeps and finds, at most.
struct AutomatonLimits {
  /// Of a state, with those gone through on the way to them. Schemas of many optional properties have hundreds.
  std::size_t places = 1 << 12;
  /// Jumps and calls that are gone through to find a state: several may lead to the same place.
  std::size_t ways = 1 << 16;
  /// Rules open in rules, of all states that are kept: as deep as JSON may be nested, and some.
  std::size_t callers = std::size_t{1} << 18;
  /// What states take of memory before make_room() forgets some, in numbers of four bytes.
  std::size_t room = std::size_t{1} << 20;
};

/// A state is all the places of the grammar where a text may be, each with the rules that called for it. It has a
/// number, until make_room() is called. For one thread at a time.
class Automaton {
 public:
  static constexpr int dead = -1;      // no text that fits begins like this
  static constexpr int too_much = -2;  // the grammar leaves too much open at once: nobody can say
  static constexpr int spent = -3;     // it isn't known, and no more may be looked at

  explicit Automaton(std::shared_ptr<const Grammar> grammar, const AutomatonLimits& limits = {});
  explicit Automaton(Grammar grammar, const AutomatonLimits& limits = {})
      : Automaton(std::make_shared<const Grammar>(std::move(grammar)), limits) {}
  Automaton(const Automaton&) = delete;
  Automaton& operator=(const Automaton&) = delete;

  [[nodiscard]] int start() const { return start_; }
  /// The state after one byte more; what isn't a state stays as it is.
  int next(int state, std::uint8_t byte);
  /// Whether a text that came here fits as it is.
  [[nodiscard]] bool accepts(int state) const { return at(state).accepts; }
  /// Whether nothing may follow.
  [[nodiscard]] bool is_last(int state) const { return at(state).first == at(state).end; }
  /// A run of characters that may follow; its length is 0 where none was found.
  CharacterRun run(int state);
  /// Whether it is soon found that of texts of ASCII characters of `run` none is longer than that says.
  bool ends_with(const CharacterRun& run, int state);

  /// What finding states has taken of time, ever, in ways that were gone through: some 10 to 20 ns each.
  [[nodiscard]] std::size_t looked_at() const { return looked_at_; }
  /// What was looked at to find the state; 0: it was asked for in the same walk before, and not forgotten since.
  std::size_t cost(int state, std::uint32_t walk);
  /// A number that no walk through states had before.
  std::uint32_t new_walk() { return ++walks_; }
  /// Once looked_at() has come to `limit`, no new state is found: they are `spent`.
  void look_until(std::size_t limit) { limit_ = limit; }
  [[nodiscard]] bool is_spent() const { return looked_at_ >= limit_; }

  /// Somebody who knows states by their numbers, which make_room() keeps up to date. Negative numbers are of no state.
  /// Requires: both outlive this.
  class Held {
   public:
    Held(Automaton& automaton, std::span<int> states) : automaton_(automaton), states_(states) {
      automaton.held_.push_back(states);
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held();

   private:
    Automaton& automaton_;
    std::span<int> states_;
  };

  /// Where states have come to take too much memory, forgets all but the start and those that are held.
  void make_room() {
    if (found_.room >= full_) forget();
  }
  /// How often states have been forgotten.
  [[nodiscard]] std::size_t age() const { return age_; }

 private:
  using Place = std::pair<int, int>;  // node, index of its callers
  struct State {
    std::size_t first = 0, end = 0;  // its places: all that have edges, sorted
    bool accepts = false;
    int run = -1;            // -1: not looked for yet
    std::uint32_t cost = 0;  // what was looked at to find it
    std::uint32_t walk = 0;  // the last one that it was met in
  };
  struct Found {
    std::vector<State> states;
    std::vector<Place> places;  // of all states
    std::vector<int> next;      // [states, classes]; -4: not looked for yet
    std::vector<CharacterRun> runs;
    // Who called: where it goes on, whom that was called by, who comes before itself; [0]: nobody.
    std::vector<Place> callers{{-1, -1}};
    NumberIndex states_index, callers_index;
    std::size_t room = 0;  // that all this takes, in numbers of four bytes
  };

  [[nodiscard]] const State& at(int state) const { return found_.states[static_cast<std::size_t>(state)]; }
  static std::span<const Place> places_of(const Found& found, int state);
  int* next_of(int state) { return found_.next.data() + static_cast<std::size_t>(state) * classes_; }
  int state_after(std::span<const Place> open);
  int state_of(Found& found, std::span<const Place> places, bool accepts, std::uint32_t cost) const;
  static int caller_of(Found& found, Place caller);
  int callers(int node, int above);
  void forget();

  const std::shared_ptr<const Grammar> grammar_;
  std::array<std::uint8_t, 256> class_of_{};  // bytes that no edge tells apart
  std::size_t classes_ = 0;
  CharacterRuns runs_;
  Found found_;
  std::vector<std::span<int>> held_;
  const AutomatonLimits limits_;
  std::size_t full_;  // room at which there is too little left
  std::size_t looked_at_ = 0, limit_ = static_cast<std::size_t>(-1), age_ = 0;
  std::uint32_t walks_ = 0;
  int start_ = dead;
  // Of the state that is being found.
  PlaceSet seen_;
  std::vector<Place> reached_, open_, places_;
};

}  // namespace layerboost
