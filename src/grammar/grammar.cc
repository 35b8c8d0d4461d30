#include "grammar/grammar.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr std::size_t bytes_of_way = 32;  // an edge, a call or a jump; most are the only one of their node
constexpr int most_forward = 64;          // jumps that are followed: they may go round

}  // namespace

/// Counts what is about to be added. As all that is built is counted, nothing that a request says takes long to build.
void Grammar::charge(std::size_t bytes) {
  if (bytes > most_bytes_ - bytes_)
    fail("it is too large: its counts and lists multiply to more than {} KiB of this server's memory",
         most_bytes_ >> 10);
  bytes_ += bytes;
}

int Grammar::add_rule() {
  first_.push_back(add_node());
  return static_cast<int>(std::ssize(first_)) - 1;
}

int Grammar::add_node() {
  charge(sizeof(Node));
  nodes_.emplace_back();
  return static_cast<int>(std::ssize(nodes_)) - 1;
}

void Grammar::jump(int from, int to) {
  charge(bytes_of_way);
  at(from).jumps.push_back(to);
}

void Grammar::edge(int from, std::uint8_t low, std::uint8_t high, int to) {
  charge(bytes_of_way);
  at(from).edges.push_back({low, high, to});
}

void Grammar::call(int from, int rule, int to) {
  charge(bytes_of_way);
  at(from).calls.push_back({rule, to});
}

int Grammar::edge(int from, std::uint8_t low, std::uint8_t high) {
  const int to = add_node();
  edge(from, low, high, to);
  return to;
}

int Grammar::bytes(int from, std::string_view text) {
  for (const char c : text) from = edge(from, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c));
  return from;
}

int Grammar::call(int from, int rule) {
  const int to = add_node();
  call(from, rule, to);
  return to;
}

int Grammar::one_of(int from, std::span<const std::string> texts) {
  const int to = add_node();
  std::map<std::pair<int, char>, int> next;
  for (const std::string& text : texts) {
    int node = from;
    for (const char c : text) {
      int& child = next.try_emplace({node, c}, -1).first->second;
      if (child < 0) child = edge(node, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c));
      node = child;
    }
    jump(node, to);
  }
  return to;
}

int Grammar::forward(int index) const {
  for (int steps = 0; steps < most_forward; ++steps) {
    const Node& from = node(index);
    if (from.end || from.jumps.size() != 1 || !from.edges.empty() || !from.calls.empty()) break;
    index = from.jumps.front();
  }
  return index;
}

/// Returns which nodes have a way to an end of their rule; `without_bytes`: one without a byte.
std::vector<bool> Grammar::good_nodes(bool without_bytes) const {
  std::vector<std::vector<int>> before(nodes_.size());                   // nodes from where a way leads to this one
  std::vector<std::vector<std::pair<int, int>>> calls(first_.size());    // of each rule: who, where it goes on
  std::vector<std::vector<std::pair<int, int>>> returns(nodes_.size());  // to each node: who, by which rule
  for (int i = 0; i < std::ssize(nodes_); ++i) {
    for (const int to : node(i).jumps) before[static_cast<std::size_t>(to)].push_back(i);
    for (const Edge& edge : node(i).edges)
      if (!without_bytes) before[static_cast<std::size_t>(edge.to)].push_back(i);
    for (const Call& call : node(i).calls) {
      calls[static_cast<std::size_t>(call.rule)].emplace_back(i, call.to);
      returns[static_cast<std::size_t>(call.to)].emplace_back(i, call.rule);
    }
  }
  std::vector<std::vector<int>> rules_of(nodes_.size());  // that begin with the node
  for (int rule = 0; rule < std::ssize(first_); ++rule) rules_of[static_cast<std::size_t>(first(rule))].push_back(rule);
  std::vector<bool> good(nodes_.size(), false);
  std::vector<int> fresh;
  const auto found = [&](int index) {
    if (good[static_cast<std::size_t>(index)]) return;
    good[static_cast<std::size_t>(index)] = true;
    fresh.push_back(index);
  };
  for (int i = 0; i < std::ssize(nodes_); ++i)
    if (node(i).end) found(i);
  while (!fresh.empty()) {
    const auto at = static_cast<std::size_t>(fresh.back());
    fresh.pop_back();
    for (const int from : before[at]) found(from);
    for (const auto& [from, rule] : returns[at])
      if (good[static_cast<std::size_t>(first(rule))]) found(from);
    for (const int rule : rules_of[at])
      for (const auto& [from, to] : calls[static_cast<std::size_t>(rule)])
        if (good[static_cast<std::size_t>(to)]) found(from);
  }
  return good;
}

void Grammar::finish() {
  const std::vector<bool> good = good_nodes(false);
  const auto bad = [&](int index) { return !good[static_cast<std::size_t>(index)]; };
  if (bad(first(0))) fail("no text fits it");
  for (Node& node : nodes_) {
    std::erase_if(node.jumps, bad);
    std::erase_if(node.edges, [&](const Edge& edge) { return bad(edge.to); });
    std::erase_if(node.calls, [&](const Call& call) { return bad(call.to) || bad(first(call.rule)); });
  }
  check_recursion();
  for (Node& node : nodes_)
    for (Call& call : node.calls) call.to = forward(call.to);
  nodes_.shrink_to_fit();
}

/// A rule that calls itself before any byte would be called for ever. Goes through what can be reached without a byte,
/// depth first, and refuses a call of a rule whose first node is on the way there.
void Grammar::check_recursion() const {
  const std::vector<bool> empty = good_nodes(true);
  const auto steps_of = [&](int index) {
    std::vector<std::pair<int, bool>> steps;  // to which node, whether by a call
    for (const int to : node(index).jumps) steps.emplace_back(to, false);
    for (const Call& call : node(index).calls) {
      steps.emplace_back(first(call.rule), true);
      if (empty[static_cast<std::size_t>(first(call.rule))]) steps.emplace_back(call.to, false);
    }
    return steps;
  };
  // Nodes that reach each other without a byte, by Tarjan's algorithm without recursion.
  struct Visit {
    int node;
    std::vector<std::pair<int, bool>> steps;
    std::size_t next = 0;
  };
  std::vector<int> order(nodes_.size(), -1), lowest(nodes_.size(), 0), group(nodes_.size(), -1);
  std::vector<int> open;
  std::vector<Visit> way;
  int count = 0, groups = 0;
  const auto enter = [&](int index) {
    order[static_cast<std::size_t>(index)] = lowest[static_cast<std::size_t>(index)] = count++;
    open.push_back(index);
    way.push_back({index, steps_of(index)});
  };
  for (int root = 0; root < std::ssize(nodes_); ++root) {
    if (order[static_cast<std::size_t>(root)] >= 0) continue;
    enter(root);
    while (!way.empty()) {
      Visit& visit = way.back();
      const auto at = static_cast<std::size_t>(visit.node);
      if (visit.next < visit.steps.size()) {
        const auto to = static_cast<std::size_t>(visit.steps[visit.next++].first);
        if (order[to] < 0)
          enter(static_cast<int>(to));
        else if (group[to] < 0)
          lowest[at] = std::min(lowest[at], order[to]);
        continue;
      }
      if (lowest[at] == order[at]) {
        int member = -1;
        do {
          member = open.back();
          open.pop_back();
          group[static_cast<std::size_t>(member)] = groups;
        } while (member != visit.node);
        ++groups;
      }
      const int low = lowest[at];
      way.pop_back();
      if (!way.empty()) {
        int& above = lowest[static_cast<std::size_t>(way.back().node)];
        above = std::min(above, low);
      }
    }
  }
  for (int i = 0; i < std::ssize(nodes_); ++i)
    for (const Call& call : node(i).calls)
      if (group[static_cast<std::size_t>(i)] == group[static_cast<std::size_t>(first(call.rule))])
        fail("a part of it refers to itself before it says anything else");
}

}  // namespace layerboost
