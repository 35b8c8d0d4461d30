// The multiple-choice knapsack: one item from every layer, the least loss for every cost, exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace layerboost {

struct KnapsackItem {
  double loss = 0;
  std::int64_t cost = 0;  // not negative
  /// Items that are counted: group 0 or 1; -1: not counted.
  int group = -1;
};

struct KnapsackProblem {
  std::vector<std::vector<KnapsackItem>> layers;
  /// Exactly so many items of group 0 and 1 are to be chosen; no value: any number.
  std::optional<int> count[2];
  std::optional<std::int64_t> budget;  // sum of costs at most; no value: no limit
};

/// A choice that no other beats in both cost and loss.
struct KnapsackChoice {
  std::int64_t cost = 0;
  double loss = 0;
  std::vector<int> items;  // [layers], the chosen item of each
};

/// All undominated choices within the budget, by rising cost and falling loss: the first is the cheapest, the last has
/// the least loss. Empty: nothing fits. Among equals the earlier items win.
///
/// Dynamic programming over layers with lists of undominated (cost, loss), one for each pair of counts. Exact; should a
/// list grow beyond 2^16 entries, costs within 1/2^16 of the list's range are told apart no more (the costs themselves
/// stay exact, so that budgets hold).
std::vector<KnapsackChoice> solve_knapsack(const KnapsackProblem& problem);

}  // namespace layerboost
