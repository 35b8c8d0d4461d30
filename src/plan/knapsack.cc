#include "plan/knapsack.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr std::size_t max_states = std::size_t{1} << 16;

/// What some choice of the layers so far comes to.
struct State {
  std::int64_t cost = 0;
  double loss = 0;
};

/// How a state came about: an item of its layer, and a state of the list before it.
struct Step {
  std::int32_t item = 0;
  std::int32_t cell = 0;  // which pair of counts
  std::int32_t state = 0;
};

struct Candidate {
  State state;
  Step step;
};

/// Lists of one layer, by pair of counts; steps beside states.
struct Stage {
  std::vector<std::vector<State>> states;
  std::vector<std::vector<Step>> steps;
};

/// Removes what another beats; sorted by rising cost and falling loss afterwards.
void prune(std::vector<Candidate>& list) {
  std::stable_sort(list.begin(), list.end(), [](const Candidate& a, const Candidate& b) {
    return a.state.cost != b.state.cost ? a.state.cost < b.state.cost : a.state.loss < b.state.loss;
  });
  double best = std::numeric_limits<double>::infinity();
  std::erase_if(list, [&](const Candidate& c) {
    if (c.state.loss >= best) return true;
    best = c.state.loss;
    return false;
  });
}

/// Keeps the last (least loss) of each of max_states equal intervals of cost, and the very first.
void thin(std::vector<Candidate>& list) {
  if (list.size() <= max_states) return;
  const std::int64_t low = list.front().state.cost;
  const std::int64_t width = (list.back().state.cost - low) / static_cast<std::int64_t>(max_states) + 1;
  std::vector<Candidate> kept = {list.front()};
  for (std::size_t i = 1; i < list.size(); ++i) {
    const bool last_of_interval =
        i + 1 == list.size() || (list[i].state.cost - low) / width != (list[i + 1].state.cost - low) / width;
    if (last_of_interval) kept.push_back(list[i]);
  }
  list = std::move(kept);
}

class Solver {
 public:
  explicit Solver(const KnapsackProblem& problem) : problem_(problem) {
    for (int g = 0; g < 2; ++g) size_[g] = problem.count[g].value_or(0) + 1;
    cheapest_from_.resize(problem.layers.size() + 1);
    for (std::size_t l = problem.layers.size(); l-- > 0;) {
      std::int64_t least = std::numeric_limits<std::int64_t>::max();
      for (const KnapsackItem& item : problem.layers[l]) least = std::min(least, item.cost);
      cheapest_from_[l] = cheapest_from_[l + 1] + least;
    }
  }

  std::vector<KnapsackChoice> solve() {
    Stage start;
    start.states.resize(cells());
    start.steps.resize(cells());
    start.states[0] = {{}};
    start.steps[0] = {{}};
    stages_ = {start};
    for (std::size_t l = 0; l < problem_.layers.size(); ++l) stages_.push_back(next(l));
    const std::size_t goal = cells() - 1;  // both counts reached
    std::vector<KnapsackChoice> result;
    for (std::size_t i = 0; i < stages_.back().states[goal].size(); ++i) result.push_back(trace(goal, i));
    return result;
  }

 private:
  [[nodiscard]] std::size_t cells() const {
    return static_cast<std::size_t>(size_[0]) * static_cast<std::size_t>(size_[1]);
  }

  /// The cell after taking `item` in `cell`; -1 when that exceeds a count.
  [[nodiscard]] int moved(int cell, const KnapsackItem& item) const {
    std::array<int, 2> counts = {cell / size_[1], cell % size_[1]};
    if (item.group >= 0 && problem_.count[item.group] &&
        ++counts[static_cast<std::size_t>(item.group)] >= size_[item.group])
      return -1;
    return counts[0] * size_[1] + counts[1];
  }

  [[nodiscard]] bool reachable(int cell, std::size_t layers_left) const {
    const int missing = (size_[0] - 1 - cell / size_[1]) + (size_[1] - 1 - cell % size_[1]);
    return missing <= static_cast<int>(layers_left);
  }

  Stage next(std::size_t l) const {
    const Stage& before = stages_.back();
    const auto& items = problem_.layers[l];
    const std::int64_t limit =
        problem_.budget.value_or(std::numeric_limits<std::int64_t>::max() / 2) - cheapest_from_[l + 1];
    std::vector<std::vector<Candidate>> lists(cells());
    for (std::size_t from = 0; from < cells(); ++from) {
      for (std::size_t i = 0; i < items.size(); ++i) {
        const int to = moved(static_cast<int>(from), items[i]);
        if (to < 0 || !reachable(to, problem_.layers.size() - l - 1)) continue;
        const auto& states = before.states[from];
        for (std::size_t s = 0; s < states.size() && states[s].cost + items[i].cost <= limit; ++s) {
          lists[static_cast<std::size_t>(to)].push_back(
              {{states[s].cost + items[i].cost, states[s].loss + items[i].loss},
               {static_cast<std::int32_t>(i), static_cast<std::int32_t>(from), static_cast<std::int32_t>(s)}});
        }
      }
    }
    Stage stage;
    stage.states.resize(cells());
    stage.steps.resize(cells());
    for (std::size_t cell = 0; cell < cells(); ++cell) {
      prune(lists[cell]);
      thin(lists[cell]);
      for (const Candidate& c : lists[cell]) {
        stage.states[cell].push_back(c.state);
        stage.steps[cell].push_back(c.step);
      }
    }
    return stage;
  }

  [[nodiscard]] KnapsackChoice trace(std::size_t cell, std::size_t index) const {
    const State& end = stages_.back().states[cell][index];
    KnapsackChoice choice = {end.cost, end.loss, std::vector<int>(problem_.layers.size())};
    for (std::size_t l = problem_.layers.size(); l > 0; --l) {
      const Step& step = stages_[l].steps[cell][index];
      choice.items[l - 1] = step.item;
      cell = static_cast<std::size_t>(step.cell);
      index = static_cast<std::size_t>(step.state);
    }
    return choice;
  }

  const KnapsackProblem& problem_;
  int size_[2];                              // counts 0 .. size-1 are told apart
  std::vector<std::int64_t> cheapest_from_;  // [layers + 1], the least that layers l.. cost
  std::vector<Stage> stages_;
};

}  // namespace

std::vector<KnapsackChoice> solve_knapsack(const KnapsackProblem& problem) {
  for (const auto& items : problem.layers) {
    LB_CHECK(!items.empty());
    for (const KnapsackItem& item : items) LB_CHECK(item.cost >= 0 && item.group >= -1 && item.group < 2);
  }
  for (const auto& count : problem.count) LB_CHECK(!count || *count >= 0);
  return Solver(problem).solve();
}

}  // namespace layerboost
