#include "plan/knapsack.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "base/random.h"

namespace layerboost {
namespace {

/// The least loss of every cost that fits, by trying everything.
std::map<std::int64_t, double> try_everything(const KnapsackProblem& problem) {
  std::map<std::int64_t, double> best;
  std::vector<std::size_t> items(problem.layers.size());
  while (true) {
    std::int64_t cost = 0;
    double loss = 0;
    int count[2] = {};
    for (std::size_t l = 0; l < items.size(); ++l) {
      const KnapsackItem& item = problem.layers[l][items[l]];
      cost += item.cost;
      loss += item.loss;
      if (item.group >= 0) ++count[item.group];
    }
    const bool fits = (!problem.budget || cost <= *problem.budget) && count[0] == problem.count[0].value_or(count[0]) &&
                      count[1] == problem.count[1].value_or(count[1]);
    if (fits && (!best.contains(cost) || loss < best[cost])) best[cost] = loss;
    std::size_t l = 0;
    while (l < items.size() && ++items[l] == problem.layers[l].size()) items[l++] = 0;
    if (l == items.size()) break;
  }
  double least = std::numeric_limits<double>::infinity();
  std::erase_if(best, [&](const auto& entry) {
    if (entry.second >= least - 1e-12) return true;
    least = entry.second;
    return false;
  });
  return best;
}

KnapsackProblem random_problem(Random& random) {
  KnapsackProblem problem;
  problem.layers.resize(1 + random.below(6));
  for (auto& items : problem.layers) {
    items.resize(1 + random.below(5));
    for (auto& item : items) {
      item = {random.uniform() - 0.1, static_cast<std::int64_t>(random.below(20)),
              static_cast<int>(random.below(3)) - 1};
    }
  }
  for (auto& count : problem.count)
    if (random.below(3) == 0) count = static_cast<int>(random.below(4));
  if (random.below(2) == 0) problem.budget = static_cast<std::int64_t>(random.below(60));
  return problem;
}

TEST(Knapsack, EqualsTryingEverything) {
  Random random(1);
  int with_solution = 0;
  for (int repeat = 0; repeat < 500; ++repeat) {
    const KnapsackProblem problem = random_problem(random);
    const auto expected = try_everything(problem);
    const auto found = solve_knapsack(problem);
    ASSERT_EQ(found.size(), expected.size()) << "problem " << repeat;
    auto it = expected.begin();
    for (const KnapsackChoice& choice : found) {
      EXPECT_EQ(choice.cost, it->first);
      EXPECT_NEAR(choice.loss, it->second, 1e-12);
      double loss = 0;
      std::int64_t cost = 0;
      for (std::size_t l = 0; l < problem.layers.size(); ++l) {
        loss += problem.layers[l][static_cast<std::size_t>(choice.items[l])].loss;
        cost += problem.layers[l][static_cast<std::size_t>(choice.items[l])].cost;
      }
      EXPECT_EQ(cost, choice.cost);
      EXPECT_NEAR(loss, choice.loss, 1e-12);
      ++it;
    }
    with_solution += found.empty() ? 0 : 1;
  }
  EXPECT_GT(with_solution, 250);
  EXPECT_LT(with_solution, 500);
}

TEST(Knapsack, HoldsTheBudgetWhenListsAreThinned) {
  Random random(2);
  KnapsackProblem problem;
  problem.layers.resize(20);
  for (auto& items : problem.layers) {
    for (int i = 0; i < 3; ++i) {
      const auto cost = static_cast<std::int64_t>(random.below(1'000'000'000));
      items.push_back({1.0 / static_cast<double>(1 + cost) + 1e-9 * random.uniform(), cost});
    }
  }
  problem.budget = 9'000'000'000;
  const auto found = solve_knapsack(problem);
  ASSERT_FALSE(found.empty());
  EXPECT_LE(found.back().cost, *problem.budget);
}

TEST(Knapsack, HasNoChoiceWhereNothingFits) {
  KnapsackProblem problem = {{{{0, 5, 0}, {1, 3, -1}}, {{0, 5, 0}, {1, 3, -1}}}, {}, 5};
  EXPECT_TRUE(solve_knapsack(problem).empty());
  problem.budget.reset();
  problem.count[0] = 3;
  EXPECT_TRUE(solve_knapsack(problem).empty());
}

}  // namespace
}  // namespace layerboost
