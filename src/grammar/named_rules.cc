#include "grammar/named_rules.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace layerboost {
namespace {

/// Which rules hold, if a rule does where its part does: a sequence where all of its parts do, a choice where one does,
/// a repeat where it may be of nothing or its part does.
class Claims {
 public:
  /// `characters_hold`: characters do by themselves; they never do otherwise.
  Claims(const std::vector<const Part*>& rules, int first, bool characters_hold)
      : first_(first), characters_hold_(characters_hold), hold_(rules.size(), false), calls_(rules.size()) {
    for (std::size_t i = 0; i < rules.size(); ++i) add(*rules[i], -1 - static_cast<int>(i));
  }

  std::vector<bool> prove() {
    while (!proven_.empty()) {
      const int above = claims_[static_cast<std::size_t>(proven_.back())].above;
      proven_.pop_back();
      if (above >= 0) {
        prove_one(above);
        continue;
      }
      const auto rule = static_cast<std::size_t>(-1 - above);
      hold_[rule] = true;
      for (const int call : calls_[rule]) prove_one(call);
    }
    return std::move(hold_);
  }

 private:
  struct Claim {
    int above;    // the claim of which it is one of the parts; -1 - n: the n-th rule
    int missing;  // of its own parts, before it holds
  };

  void add(const Part& part, int above) {
    const int claim = static_cast<int>(claims_.size());
    const int missing = missing_at_first(part);
    claims_.push_back({above, missing});
    if (missing == 0)
      proven_.push_back(claim);
    else if (part.kind == Part::Kind::rule)
      calls_[static_cast<std::size_t>(part.rule - first_)].push_back(claim);
    else
      for (const Part& item : part.parts) add(item, claim);
  }

  [[nodiscard]] int missing_at_first(const Part& part) const {
    switch (part.kind) {
      case Part::Kind::sequence:
        return static_cast<int>(part.parts.size());
      case Part::Kind::repeat:
        return part.least == 0 ? 0 : 1;
      case Part::Kind::characters:
        return characters_hold_ ? 0 : 1;
      default:
        return 1;
    }
  }

  void prove_one(int claim) {
    if (--claims_[static_cast<std::size_t>(claim)].missing == 0) proven_.push_back(claim);
  }

  const int first_;
  const bool characters_hold_;
  std::vector<bool> hold_;               // [rules]
  std::vector<std::vector<int>> calls_;  // of each rule: claims
  std::vector<Claim> claims_;
  std::vector<int> proven_;  // whose consequences aren't drawn yet
};

}  // namespace

NamedRules::NamedRules(std::vector<const Part*> parts, int first) : parts_(std::move(parts)), first_(first) {}

/// Which rules have a text, or match nothing.
std::vector<bool> NamedRules::ending(bool of_nothing) const { return Claims(parts_, first_, !of_nothing).prove(); }

int NamedRules::endless() const {
  const std::vector<bool> ends = ending(false);
  const auto found = std::ranges::find(ends, false);
  if (found == ends.end()) return -1;
  // The rule that keeps `part` from its end; -1: it has one.
  const auto obstacle = [&](const Part& part, const auto& self) -> int {
    switch (part.kind) {
      case Part::Kind::rule:
        return ends[static_cast<std::size_t>(number(part))] ? -1 : number(part);
      case Part::Kind::repeat:
        return part.least == 0 ? -1 : self(part.parts.front(), self);
      case Part::Kind::sequence:
      case Part::Kind::choice: {
        int first = -1;
        for (const Part& item : part.parts) {
          const int of_item = self(item, self);
          if ((of_item < 0) == (part.kind == Part::Kind::choice)) return of_item;
          if (first < 0) first = of_item;
        }
        return first;
      }
      default:
        return -1;
    }
  };
  // From obstacle to obstacle one comes round in the end: those there are obstacles to nobody but each other.
  std::vector<bool> seen(parts_.size(), false);
  auto rule = static_cast<int>(found - ends.begin());
  while (!seen[static_cast<std::size_t>(rule)]) {
    seen[static_cast<std::size_t>(rule)] = true;
    rule = obstacle(*parts_[static_cast<std::size_t>(rule)], obstacle);
  }
  return rule;
}

/// Adds the rules that `part` may begin with; returns whether it may be empty.
bool NamedRules::add_beginnings(const Part& part, const std::vector<bool>& may_be_empty,
                                std::vector<int>& rules) const {
  const auto add = [&](const Part& item) { return add_beginnings(item, may_be_empty, rules); };
  switch (part.kind) {
    case Part::Kind::rule:
      rules.push_back(number(part));
      return may_be_empty[static_cast<std::size_t>(number(part))];
    case Part::Kind::repeat:
      return part.most == 0 || add(part.parts.front()) || part.least == 0;
    case Part::Kind::sequence:
      return std::ranges::all_of(part.parts, add);
    case Part::Kind::choice: {
      bool any = false;
      for (const Part& item : part.parts) any = add(item) || any;
      return any;
    }
    default:
      return false;
  }
}

std::vector<int> NamedRules::beginning_with_themselves() const {
  const std::vector<bool> may_be_empty = ending(true);
  std::vector<std::vector<int>> beginnings(parts_.size());
  for (std::size_t i = 0; i < parts_.size(); ++i) add_beginnings(*parts_[i], may_be_empty, beginnings[i]);
  enum class Seen { no, on_the_way, done };
  std::vector<Seen> seen(parts_.size(), Seen::no);
  std::vector<int> way;                             // from rule to rule, each beginning with the next
  std::vector<std::size_t> next(parts_.size(), 0);  // of each rule's beginnings
  for (int root = 0; root < std::ssize(parts_); ++root) {
    if (seen[static_cast<std::size_t>(root)] == Seen::no) way.push_back(root);
    while (!way.empty()) {
      const auto at = static_cast<std::size_t>(way.back());
      seen[at] = Seen::on_the_way;
      if (next[at] == beginnings[at].size()) {
        seen[at] = Seen::done;
        way.pop_back();
        continue;
      }
      const int to = beginnings[at][next[at]++];
      if (seen[static_cast<std::size_t>(to)] == Seen::no) way.push_back(to);
      if (seen[static_cast<std::size_t>(to)] == Seen::on_the_way) return {std::ranges::find(way, to), way.end()};
    }
  }
  return {};
}

}  // namespace layerboost
