#include "grammar/character_runs.h"

#include <algorithm>
#include <utility>

namespace layerboost {
namespace {

// What is beyond these isn't found, so that nobody waits for it; what is found is right nonetheless.
constexpr std::size_t most_reached = 16;  // nodes that are as good as one, without a byte between them
constexpr std::size_t most_steps = 16;    // nodes that lie one character behind one
constexpr std::size_t most_ways = 256;    // edges and calls, or jumps, that are looked at from one node
constexpr int deepest_rule = 8;           // rules that begin with rules

constexpr int long_run = 16;              // characters; most tokens are shorter
constexpr std::size_t longest_way = 512;  // of steps that are followed at once
constexpr std::size_t unsure_end = 256;   // of a longer way: what lies behind it would count for tokens

constexpr int on_the_way = -2;

}  // namespace

int CharacterRun::weight() const { return of.count() * std::min(length, long_run); }

CharacterRun CharacterRun::after(const FirstBytes& by) const {
  const FirstBytes both = by.common(of);
  // Fewer characters for longer, rather than more of them for one.
  const bool goes_on = length > 0 && 2 * both.count() >= by.count();
  if (!goes_on) return {by, 1};
  return {both, std::min(length + 1, Grammar::no_limit)};
}

CharacterRuns::CharacterRuns(const Grammar& grammar) : grammar_(grammar), found_(grammar.size()) {}

int CharacterRuns::kept(const FirstBytes& set) {
  const auto [found, is_new] = sets_index_.try_emplace(set, static_cast<int>(sets_.size()));
  if (is_new) sets_.push_back(set);
  return found->second;
}

/// `node` and some of those that can be reached from it by jumps.
std::vector<int> CharacterRuns::reached(int node) const {
  std::vector<int> nodes = {node};
  std::size_t ways = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const int to : grammar_.node(nodes[i]).jumps) {
      if (nodes.size() == most_reached || ++ways > most_ways) return nodes;
      if (std::ranges::find(nodes, to) == nodes.end()) nodes.push_back(to);
    }
  }
  return nodes;
}

/// Where each text of so many bytes leads from `node`, if the first is any of low..high and the others any that may go
/// on with a character; -1: not all lead to one place.
int CharacterRuns::after_bytes(int node, std::uint8_t low, std::uint8_t high, int bytes) const {
  int to = -1;
  std::uint64_t seen = 0;  // of the 64 bytes that may go on with a character
  for (const Grammar::Edge& edge : grammar_.node(node).edges) {
    const int first = std::max(edge.low, low), last = std::min(edge.high, high);
    if (first > last) continue;
    const int leads = bytes == 1 ? grammar_.forward(edge.to) : after_bytes(edge.to, 0x80, 0xBF, bytes - 1);
    if (leads < 0 || (to >= 0 && leads != to)) continue;
    to = leads;
    for (int byte = first; byte <= last; ++byte) seen |= std::uint64_t{1} << (byte - 0x80);
  }
  std::uint64_t all = 0;
  for (int byte = low; byte <= high; ++byte) all |= std::uint64_t{1} << (byte - 0x80);
  return seen == all ? to : -1;
}

/// The same of what follows a character's first byte, which led to `node`.
int CharacterRuns::after_first_byte(std::uint8_t byte, int node) const {
  if (byte < 0xC2 || byte > 0xF4) return -1;
  const int bytes = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  const std::uint8_t low = byte == 0xE0 ? 0xA0 : byte == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t high = byte == 0xED ? 0x9F : byte == 0xF4 ? 0x8F : 0xBF;
  return after_bytes(node, low, high, bytes);
}

std::vector<CharacterRuns::Step> CharacterRuns::steps(int node, int depth) {
  std::vector<Step> all;
  const auto add = [&](int to, const FirstBytes& by) {
    const auto known = std::ranges::find(all, to, &Step::to);
    if (known != all.end())
      known->by |= by;
    else if (all.size() < most_steps && by.count() > 0)
      all.push_back({to, by});
  };
  std::size_t ways = 0;
  ++looked_at_;
  for (const int from : reached(node)) {
    for (const Grammar::Edge& edge : grammar_.node(from).edges) {
      if (++ways > most_ways) return all;
      ++looked_at_;
      FirstBytes ascii;
      for (int byte = edge.low; byte <= std::min<int>(edge.high, 0x7F); ++byte)
        ascii.add(static_cast<std::uint8_t>(byte));
      add(grammar_.forward(edge.to), ascii);
      for (int byte = std::max<int>(edge.low, 0x80); byte <= edge.high; ++byte) {
        FirstBytes one;
        one.add(static_cast<std::uint8_t>(byte));
        if (const int to = after_first_byte(static_cast<std::uint8_t>(byte), edge.to); to >= 0) add(to, one);
      }
    }
    for (const Grammar::Call& call : grammar_.node(from).calls) {
      if (++ways > most_ways) return all;
      ++looked_at_;
      add(call.to, ending(grammar_.first(call.rule), depth + 1));
    }
  }
  return all;
}

const FirstBytes& CharacterRuns::ending(int node, int depth) {
  static const FirstBytes none;
  if (depth > deepest_rule) return none;
  if (at(node).ending >= 0) return set(at(node).ending);
  FirstBytes found;
  for (const Step& step : steps(node, depth)) {
    const std::vector<int> nodes = reached(step.to);
    if (std::ranges::any_of(nodes, [&](int to) { return grammar_.node(to).end; })) found |= step.by;
  }
  at(node).ending = kept(found);
  return set(at(node).ending);
}

CharacterRuns::Step CharacterRuns::widest_step(int node) {
  Step widest;
  for (Step& step : steps(node, 0))
    if (widest.to < 0 || step.by.count() > widest.by.count()) widest = step;
  return widest;
}

/// Follows the widest steps until they end, come to a node whose run is known, come round, or are many.
CharacterRun CharacterRuns::from(int node) {
  struct Visit {
    int node;
    Step step;
  };
  std::vector<Visit> way;
  int to = node;
  while (to >= 0 && at(to).run == -1 && way.size() < longest_way) {
    way.push_back({to, widest_step(to)});
    at(to).run = on_the_way;
    to = way.back().step.to;
  }
  const int known = to >= 0 ? at(to).run : on_the_way;
  const std::size_t sure = known == -1 ? longest_way - unsure_end : longest_way;
  CharacterRun run;
  const auto keep = [&](int of) {
    at(of).run = kept(run.of);
    at(of).length = run.length;
  };
  if (known >= 0) {
    run = {set(known), at(to).length};
  } else if (to >= 0 && known == on_the_way) {
    const auto round = std::ranges::find(way, to, &Visit::node);
    FirstBytes of = round->step.by;
    for (auto visit = round; visit != way.end(); ++visit) of = of.common(visit->step.by);
    if (of.count() > 0) {
      run = {of, Grammar::no_limit};
      for (auto visit = round; visit != way.end(); ++visit) keep(visit->node);
      way.erase(round, way.end());
    }
  }
  for (; !way.empty(); way.pop_back()) {
    const Visit& visit = way.back();
    run = visit.step.to < 0 ? CharacterRun() : run.after(visit.step.by);
    if (way.size() <= sure)
      keep(visit.node);
    else
      at(visit.node).run = -1;
  }
  return {set(at(node).run), at(node).length};
}

}  // namespace layerboost
