// What a text may be: rules made of nodes, with edges over bytes and calls of other rules between them. Schemas,
// regular expressions, grammars in GBNF and lists of choices come down to this; grammar/automaton.h reads texts by it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace layerboost {

/// A text fits a rule if some way from the rule's first node to one of its ends spells it. Rule 0 is the whole text's.
/// Built node by node: what adds to a node returns the node that the way goes on from.
class Grammar {
 public:
  struct Edge {  // one byte of low..high
    std::uint8_t low, high;
    int to;
  };
  struct Call {    // a text of another rule
    int rule, to;  // once the building has ended, where the way really goes on: forward()
  };
  struct Node {
    std::vector<Edge> edges;
    std::vector<Call> calls;
    std::vector<int> jumps;  // to where a way may go on without a byte
    bool end = false;        // of its rule
  };
  /// Of how often something may be there: any number.
  static constexpr int no_limit = 1 << 30;

  /// One that takes more than `most_bytes` is an Error, as soon as it does.
  explicit Grammar(std::size_t most_bytes = std::size_t{8} << 20) : most_bytes_(most_bytes) { add_rule(); }

  /// A rule, with one node: its first.
  int add_rule();
  [[nodiscard]] int first(int rule) const { return first_[static_cast<std::size_t>(rule)]; }
  int add_node();
  void end(int node) { at(node).end = true; }

  void jump(int from, int to);
  void edge(int from, std::uint8_t low, std::uint8_t high, int to);
  void call(int from, int rule, int to);
  int edge(int from, std::uint8_t low, std::uint8_t high);
  int bytes(int from, std::string_view text);
  int call(int from, int rule);
  /// One of `texts`, which share the nodes of what they begin with: as many edges leave a node as there are bytes.
  int one_of(int from, std::span<const std::string> texts);

  /// Ends the building: takes away ways that never come to an end. Throws Error where none is left for the whole text,
  /// and where a rule calls itself before any byte.
  void finish();

  [[nodiscard]] const Node& node(int index) const { return nodes_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  /// Where a way that comes to the node `index` really goes on: behind nodes that have a jump and nothing else.
  [[nodiscard]] int forward(int index) const;
  /// What it takes of memory, about.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void charge(std::size_t bytes);
  Node& at(int index) { return nodes_[static_cast<std::size_t>(index)]; }
  [[nodiscard]] std::vector<bool> good_nodes(bool without_bytes) const;
  void check_recursion() const;

  std::size_t most_bytes_, bytes_ = 0;
  std::vector<Node> nodes_;
  std::vector<int> first_;  // [rules]
};

}  // namespace layerboost
