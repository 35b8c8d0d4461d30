#include "grammar/automaton.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace layerboost {
namespace {

constexpr int unknown = -4;
// Room, in numbers of four bytes.
constexpr std::size_t room_of_state = 24;  // beside its places and what follows it: itself, and the index
constexpr std::size_t room_of_run = 10;
constexpr std::size_t room_of_caller = 12;

constexpr std::size_t most_runs = 64;       // places of a state that runs are looked for from
constexpr std::size_t places_in_time = 16;  // that are gone through as fast as a state is put down
constexpr std::size_t edges_of_place = 8;   // that are looked at as fast as a place is gone through
constexpr std::size_t most_looked_at_ahead = std::size_t{1} << 16;  // to see how far a run goes: some 1 ms

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ hash >> 32;
}

std::uint64_t packed(std::pair<int, int> place) {
  return std::uint64_t{static_cast<std::uint32_t>(place.first)} << 32 | static_cast<std::uint32_t>(place.second);
}

}  // namespace

Automaton::Automaton(std::shared_ptr<const Grammar> grammar, const AutomatonLimits& limits)
    : grammar_(std::move(grammar)), runs_(*grammar_), limits_(limits), full_(limits.room) {
  std::array<bool, 257> begins{};
  begins[0] = true;
  for (int i = 0; i < static_cast<int>(grammar_->size()); ++i) {
    for (const Grammar::Edge& edge : grammar_->node(i).edges)
      begins[edge.low] = begins[edge.high + std::size_t{1}] = true;
  }
  for (std::size_t byte = 0; byte < class_of_.size(); ++byte) {
    if (begins[byte]) ++classes_;
    class_of_[byte] = static_cast<std::uint8_t>(classes_ - 1);
  }
  const Place first(grammar_->first(0), 0);
  start_ = state_after({&first, 1});
}

Automaton::Held::~Held() {
  // The last one who came is mostly the first one who leaves.
  const auto entry = std::find_if(automaton_.held_.rbegin(), automaton_.held_.rend(),
                                  [&](std::span<int> other) { return other.data() == states_.data(); });
  automaton_.held_.erase(std::next(entry).base());
}

/// Puts the states that are needed, and who called for them, into an empty record, as if nothing else had been found.
void Automaton::forget() {
  std::vector<bool> is_needed(found_.callers.size());
  std::vector<int> renumbered(found_.states.size(), unknown);
  const auto need = [&](int state) {
    if (state < 0) return;
    renumbered[static_cast<std::size_t>(state)] = 0;
    for (const Place& place : places_of(found_, state)) is_needed[static_cast<std::size_t>(place.second)] = true;
  };
  need(start_);
  for (const std::span<int> states : held_) std::ranges::for_each(states, need);

  Found fresh;
  std::vector<int> callers(found_.callers.size(), 0);
  for (std::size_t i = found_.callers.size(); i-- > 1;)
    if (is_needed[i]) is_needed[static_cast<std::size_t>(found_.callers[i].second)] = true;
  for (std::size_t i = 1; i < callers.size(); ++i) {
    if (!is_needed[i]) continue;
    const auto [node, above] = found_.callers[i];
    callers[i] = caller_of(fresh, {node, callers[static_cast<std::size_t>(above)]});
  }
  for (std::size_t i = 0; i < renumbered.size(); ++i) {
    if (renumbered[i] == unknown) continue;
    const std::span<const Place> old = places_of(found_, static_cast<int>(i));
    std::vector<Place> places(old.begin(), old.end());  // stays sorted: callers keep their order
    for (Place& place : places) place.second = callers[static_cast<std::size_t>(place.second)];
    renumbered[i] = state_of(fresh, places, found_.states[i].accepts, found_.states[i].cost);
  }

  // Nothing fails from here on, so that nobody is left with numbers of what isn't there any more.
  found_ = std::move(fresh);
  full_ = found_.room + limits_.room;
  ++age_;
  const auto renumber = [&](int& state) {
    if (state >= 0) state = renumbered[static_cast<std::size_t>(state)];
  };
  renumber(start_);
  for (const std::span<int> states : held_) std::ranges::for_each(states, renumber);
}

int Automaton::caller_of(Found& found, Place caller) {
  const std::uint64_t hash = mixed(0, packed(caller));
  const int known = found.callers_index.find(
      hash, [&](int other) { return found.callers[static_cast<std::size_t>(other)] == caller; });
  if (known >= 0) return known;
  const int added = static_cast<int>(found.callers.size());
  found.callers_index.reserve_one();
  found.callers.push_back(caller);
  found.callers_index.add(hash, added);
  found.room += room_of_caller;
  return added;
}

/// Who is to be gone on with where what `node` called for has ended.
int Automaton::callers(int node, int above) {
  const Grammar::Node& to = grammar_->node(node);
  if (to.end && to.jumps.empty() && to.edges.empty() && to.calls.empty()) return above;  // nothing is left to do there
  return caller_of(found_, {node, above});
}

/// The state in which a text is at the places `open` and at those that can be reached from there without a byte.
int Automaton::state_after(std::span<const Place> open) {
  seen_.clear();
  open_.clear();
  const auto reach = [&](Place place) {
    if (seen_.add(place)) open_.push_back(place);
  };
  std::ranges::for_each(open, reach);
  places_.clear();
  bool accepts = false;
  std::size_t ways = open.size();
  while (!open_.empty()) {
    const auto [index, above] = open_.back();
    open_.pop_back();
    const Grammar::Node& node = grammar_->node(index);
    ways += 1 + node.jumps.size() + node.calls.size();
    if (seen_.size() > limits_.places || found_.callers.size() > limits_.callers || ways > limits_.ways) {
      looked_at_ += std::min(ways, limits_.ways);
      return too_much;
    }
    if (!node.edges.empty()) places_.emplace_back(index, above);
    for (const int to : node.jumps) reach({to, above});
    for (const Grammar::Call& call : node.calls) reach({grammar_->first(call.rule), callers(call.to, above)});
    if (!node.end) continue;
    if (above == 0)
      accepts = true;
    else
      reach(found_.callers[static_cast<std::size_t>(above)]);
  }
  const std::size_t cost = ways + places_in_time;
  looked_at_ += cost;
  if (places_.empty() && !accepts) return dead;
  std::ranges::sort(places_);
  return state_of(found_, places_, accepts, static_cast<std::uint32_t>(cost));
}

std::span<const Automaton::Place> Automaton::places_of(const Found& found, int state) {
  const State& of = found.states[static_cast<std::size_t>(state)];
  return std::span(found.places).subspan(of.first, of.end - of.first);
}

int Automaton::state_of(Found& found, std::span<const Place> places, bool accepts, std::uint32_t cost) const {
  std::uint64_t hash = accepts ? 1 : 0;
  for (const Place& place : places) hash = mixed(hash, packed(place));
  const int known = found.states_index.find(hash, [&](int other) {
    return found.states[static_cast<std::size_t>(other)].accepts == accepts &&
           std::ranges::equal(places_of(found, other), places);
  });
  if (known >= 0) return known;
  // In this order, where memory runs short in between, what is left of a state belongs to none.
  const std::size_t added = found.states.size(), first = found.places.size();
  found.states_index.reserve_one();
  found.next.resize((added + 1) * classes_, unknown);
  found.places.insert(found.places.end(), places.begin(), places.end());
  found.states.push_back({.first = first, .end = first + places.size(), .accepts = accepts, .cost = cost});
  found.states_index.add(hash, static_cast<int>(added));
  found.room += 2 * places.size() + classes_ + room_of_state;
  return static_cast<int>(added);
}

int Automaton::next(int state, std::uint8_t byte) {
  if (state < 0) return state;
  if (const int known = next_of(state)[class_of_[byte]]; known != unknown) return known;
  if (is_spent()) return spent;
  reached_.clear();
  std::uint8_t first = 0, last = 0xFF;  // bytes that lead to the same places
  std::size_t edges = 0;
  for (const auto& [index, above] : places_of(found_, state)) {
    edges += grammar_->node(index).edges.size();
    for (const Grammar::Edge& edge : grammar_->node(index).edges) {
      if (edge.high < byte) {
        first = std::max(first, static_cast<std::uint8_t>(edge.high + 1));
      } else if (byte < edge.low) {
        last = std::min(last, static_cast<std::uint8_t>(edge.low - 1));
      } else {
        reached_.emplace_back(edge.to, above);
        first = std::max(first, edge.low);
        last = std::min(last, edge.high);
      }
    }
  }
  looked_at_ += edges / edges_of_place;
  const int to = reached_.empty() ? dead : state_after(reached_);
  std::fill(next_of(state) + class_of_[first], next_of(state) + class_of_[last] + 1, to);
  return to;
}

std::size_t Automaton::cost(int state, std::uint32_t walk) {
  State& of = found_.states[static_cast<std::size_t>(state)];
  return std::exchange(of.walk, walk) == walk ? 0 : of.cost;
}

CharacterRun Automaton::run(int state) {
  int& known = found_.states[static_cast<std::size_t>(state)].run;
  if (known >= 0) return found_.runs[static_cast<std::size_t>(known)];
  const std::size_t before = runs_.looked_at();
  CharacterRun best;
  const auto consider = [&](const CharacterRun& run) {
    if (run.weight() > best.weight()) best = run;
  };
  const std::span<const Place> places = places_of(found_, state);
  for (const auto& [node, above] : places.first(std::min(places.size(), most_runs))) {
    if (runs_.looked_at() - before > most_looked_at_ahead) break;
    consider(runs_.from(node));
    if (above == 0) continue;
    if (const FirstBytes& ending = runs_.ending(node); ending.count() > 0)
      consider(runs_.from(found_.callers[static_cast<std::size_t>(above)].first).after(ending));
  }
  looked_at_ += runs_.looked_at() - before;
  found_.runs.push_back(best);
  known = static_cast<int>(found_.runs.size()) - 1;
  found_.room += room_of_run;
  return best;
}

bool Automaton::ends_with(const CharacterRun& run, int state) {
  const std::size_t enough = looked_at_ + most_looked_at_ahead;
  for (int read = 0; state >= 0; ++read) {
    if (read > run.length || looked_at_ > enough) return false;
    std::optional<int> to;
    std::optional<std::uint8_t> before;  // bytes that no edge tells apart are neighbours, and looked at once
    for (std::uint8_t byte = 0; byte < 0x80; ++byte) {
      if (!run.of.has(byte) || before == class_of_[byte]) continue;
      before = class_of_[byte];
      const int next_state = next(state, byte);
      if (to.value_or(next_state) != next_state) return false;
      to = next_state;
    }
    state = to.value_or(dead);
  }
  return state == dead;
}

}  // namespace layerboost
