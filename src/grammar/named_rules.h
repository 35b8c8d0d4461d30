// What the named rules of a grammar mustn't be: without an end, or beginning with themselves.
#pragma once

#include <vector>

#include "grammar/expression.h"

namespace layerboost {

/// Rules by their numbers: the parts of kind Part::Kind::rule name one by `first` and its number. A set of characters
/// is taken to have some. Takes time in proportion to the rules' parts.
class NamedRules {
 public:
  /// Requires: `parts`, one for each rule, outlive this.
  NamedRules(std::vector<const Part*> parts, int first);

  /// A rule that never comes to an end, and not only because it calls another one that doesn't; -1: there is none.
  [[nodiscard]] int endless() const;
  /// Rules each of which may begin with the next one, and the last one with the first: none can be read. Empty: there
  /// are none.
  [[nodiscard]] std::vector<int> beginning_with_themselves() const;

 private:
  [[nodiscard]] int number(const Part& part) const { return part.rule - first_; }
  [[nodiscard]] std::vector<bool> ending(bool of_nothing) const;
  bool add_beginnings(const Part& part, const std::vector<bool>& may_be_empty, std::vector<int>& rules) const;

  std::vector<const Part*> parts_;  // [rules]
  int first_;
};

}  // namespace layerboost
