#include "grammar/automaton.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace layerboost {
namespace {

constexpr int unknown = -3;
/// Places of a state, with those gone through on the way. Schemas of many optional properties have hundreds.
constexpr std::size_t most_places = 1 << 12;
/// Rules open in rules, of all texts that were ever looked at: as deep as JSON may be nested, and some.
constexpr std::size_t most_callers = std::size_t{1} << 18;
constexpr std::size_t room_of_state = 48;  // beside its places and what follows it: lists, their ends, the index
constexpr std::size_t edges_of_place = 8;  // that are looked at as fast as a place is gone through

}  // namespace

Automaton::Automaton(Grammar grammar) : grammar_(std::move(grammar)) {
  std::array<bool, 257> begins{};
  begins[0] = true;
  forwards_.resize(grammar_.size());
  for (int i = 0; i < std::ssize(forwards_); ++i) {
    for (const Grammar::Edge& edge : grammar_.node(i).edges)
      begins[edge.low] = begins[edge.high + std::size_t{1}] = true;
    // A node from where there is one way on alone is as good as where that leads: calls of calls stay few.
    int to = i;
    for (int steps = 0; steps < 64; ++steps) {
      const Grammar::Node& node = grammar_.node(to);
      if (node.end || node.jumps.size() != 1 || !node.edges.empty() || !node.calls.empty() || node.plain_left >= 0)
        break;
      to = node.jumps.front();
    }
    forwards_[static_cast<std::size_t>(i)] = to;
  }
  for (std::size_t byte = 0; byte < class_of_.size(); ++byte) {
    if (begins[byte]) ++classes_;
    class_of_[byte] = static_cast<std::uint8_t>(classes_ - 1);
  }
  forget();
}

void Automaton::forget() {
  room_ = 0;
  start_ = dead;  // until there is one
  states_index_.clear();
  states_.clear();
  start_ = state_after({{grammar_.first(0), 0}});
}

int Automaton::callers(int node, int above) {
  node = forwards_[static_cast<std::size_t>(node)];
  const Grammar::Node& to = grammar_.node(node);
  if (to.end && to.jumps.empty() && to.edges.empty() && to.calls.empty()) return above;  // nothing is left to do there
  if (const auto found = callers_index_.find({node, above}); found != callers_index_.end()) return found->second;
  // Where memory runs short in the index, nothing there is of an entry that doesn't exist.
  const int added = static_cast<int>(callers_.size());
  callers_.emplace_back(node, above);
  callers_index_.emplace(Place(node, above), added);
  return added;
}

/// Whether each place either is one with plain_left or the beginning of a character of such a one.
int Automaton::plain_left_of(const std::vector<Place>& places) const {
  int left = -1;
  for (const Place& place : places) left = std::max(left, grammar_.node(place.first).plain_left);
  if (left < 0) return -1;
  std::set<Place> beginnings;
  for (const auto& [index, above] : places) {
    if (grammar_.node(index).plain_left < 0) continue;
    for (const Grammar::Call& call : grammar_.node(index).calls) {
      const auto by = callers_index_.find({forwards_[static_cast<std::size_t>(call.to)], above});
      if (by != callers_index_.end()) beginnings.emplace(grammar_.first(call.rule), by->second);
    }
  }
  const bool all = std::ranges::all_of(places, [&](const Place& place) {
    return grammar_.node(place.first).plain_left >= 0 || beginnings.contains(place);
  });
  return all ? left : -1;
}

/// The state in which a text is at the places `open` and at those that can be reached from there without a byte.
int Automaton::state_after(std::vector<Place> open) {
  std::ranges::sort(open);
  open.erase(std::unique(open.begin(), open.end()), open.end());
  Places found;
  std::set<Place> seen(open.begin(), open.end());
  const auto reach = [&](int node, int above) {
    if (seen.emplace(node, above).second) open.emplace_back(node, above);
  };
  while (!open.empty()) {
    const auto [index, above] = open.back();
    open.pop_back();
    if (seen.size() > most_places || callers_.size() > most_callers) {
      looked_at_ += seen.size();
      return too_much;
    }
    const Grammar::Node& node = grammar_.node(index);
    if (!node.edges.empty() || node.plain_left >= 0) found.places.emplace_back(index, above);
    for (const int to : node.jumps) reach(to, above);
    for (const Grammar::Call& call : node.calls) reach(grammar_.first(call.rule), callers(call.to, above));
    if (!node.end) continue;
    if (above == 0)
      found.accepts = true;
    else
      reach(callers_[static_cast<std::size_t>(above)].first, callers_[static_cast<std::size_t>(above)].second);
  }
  looked_at_ += seen.size();
  if (found.places.empty() && !found.accepts) return dead;
  std::ranges::sort(found.places);
  return state_of(std::move(found));
}

int Automaton::state_of(Places places) {
  if (const auto found = states_index_.find(places); found != states_index_.end()) return found->second;
  const int added = static_cast<int>(states_.size());
  room_ += 4 * places.places.size() + static_cast<std::size_t>(classes_) + room_of_state;
  states_.push_back(
      {places, plain_left_of(places.places), std::vector<int>(static_cast<std::size_t>(classes_), unknown)});
  states_index_.emplace(std::move(places), added);
  return added;
}

int Automaton::next(int state, std::uint8_t byte) {
  if (state < 0) return state;
  const std::size_t of_class = class_of_[byte];
  if (const int known = at(state).next[of_class]; known != unknown) return known;
  std::vector<Place> reached;
  std::size_t edges = 0;
  for (const auto& [index, above] : at(state).is.places) {
    edges += grammar_.node(index).edges.size();
    for (const Grammar::Edge& edge : grammar_.node(index).edges)
      if (edge.low <= byte && byte <= edge.high) reached.emplace_back(edge.to, above);
  }
  looked_at_ += edges / edges_of_place;
  const int to = reached.empty() ? dead : state_after(std::move(reached));
  states_[static_cast<std::size_t>(state)].next[of_class] = to;
  return to;
}

}  // namespace layerboost
