#include "plan/joint_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"

namespace layerboost {
namespace {

using Items = std::vector<int>;  // [L], the option that each layer has

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Whether a choice keeps to the knapsack's limits, kept up to date as layers change.
class Limits {
 public:
  Limits(const KnapsackProblem& problem, const Items& items) : problem_(problem) {
    for (std::size_t l = 0; l < items.size(); ++l) add(problem.layers[l][at(items[l])], 1);
  }
  void change(int layer, int from, int to) {
    add(problem_.layers[at(layer)][at(from)], -1);
    add(problem_.layers[at(layer)][at(to)], 1);
  }
  [[nodiscard]] bool hold() const {
    for (std::size_t g = 0; g < 2; ++g)
      if (problem_.count[g] && count_[g] != *problem_.count[g]) return false;
    return !problem_.budget || cost_ <= *problem_.budget;
  }

 private:
  void add(const KnapsackItem& item, int sign) {
    cost_ += sign * item.cost;
    if (item.group >= 0) count_[at(item.group)] += sign;
  }

  const KnapsackProblem& problem_;
  std::int64_t cost_ = 0;
  std::array<int, 2> count_ = {};
};

/// One or two layers that change.
struct Move {
  std::array<int, 2> layer = {-1, -1}, to = {};
  double gain = 0;  // expected

  [[nodiscard]] int size() const { return layer[1] < 0 ? 1 : 2; }
};

class Search {
 public:
  Search(const Planner& planner, KnapsackProblem problem, const MeasurePlan& measure, const JointSearchOptions& options)
      : planner_(planner), problem_(std::move(problem)), measure_(measure), options_(options) {}

  JointSearchResult run(const std::vector<std::vector<MixerSpec>>& starts) {
    for (const auto& specs : starts) take_if_better(items_of(specs));
    LB_CHECK(!best_.empty());
    while (left() > layers()) {
      const double before = best_loss_;
      learn_in_place();
      take_if_better(solved());
      try_moves();
      if (best_loss_ >= before) break;
    }
    const auto specs = specs_of(best_);
    return {specs, measured_.at(best_), planner_.loss(specs), static_cast<int>(measured_.size())};
  }

 private:
  [[nodiscard]] int layers() const { return static_cast<int>(problem_.layers.size()); }
  [[nodiscard]] int left() const { return options_.measurements - static_cast<int>(measured_.size()); }

  [[nodiscard]] std::vector<MixerSpec> specs_of(const Items& items) const { return planner_.specs_of({0, 0, items}); }
  [[nodiscard]] Items items_of(const std::vector<MixerSpec>& specs) const {
    Items items;
    for (int l = 0; l < layers(); ++l) {
      const auto& options = planner_.options(l);
      const auto it = std::find(options.begin(), options.end(), specs[at(l)]);
      LB_CHECK(it != options.end());
      items.push_back(static_cast<int>(it - options.begin()));
    }
    return items;
  }

  double loss_of(const Items& items) {
    auto it = measured_.find(items);
    if (it == measured_.end()) it = measured_.emplace(items, measure_(specs_of(items))).first;
    return it->second.total(planner_.rule().retrieval_weight);
  }

  bool take_if_better(const Items& items) {
    if (!measured_.contains(items) && left() <= 0) return false;
    const double loss = loss_of(items);
    if (!best_.empty() && loss >= best_loss_) return false;
    best_ = items;
    best_loss_ = loss;
    return true;
  }

  /// A mixer, but for which of its heads are whole: how many.
  static MixerSpec like(MixerSpec spec) {
    spec.full = static_cast<HeadSet>(head_count(spec.full));
    return spec;
  }

  /// What most changed layers of the plan have, as like(); among equals the first; none where none is changed.
  [[nodiscard]] std::optional<MixerSpec> commonest_change() const {
    std::map<MixerSpec, int> count;
    std::optional<MixerSpec> commonest;
    for (int l = 0; l < layers(); ++l)
      if (best_[at(l)] != 0) ++count[like(planner_.options(l)[at(best_[at(l)])])];
    for (const auto& [spec, n] : count)
      if (!commonest || n > count.at(*commonest)) commonest = spec;
    return commonest;
  }

  /// The layer's first option like it; the first change where it has none.
  [[nodiscard]] int option_like(int layer, const std::optional<MixerSpec>& wanted) const {
    const auto& options = planner_.options(layer);
    const auto it = std::find_if(options.begin() + 1, options.end(),
                                 [&](const MixerSpec& option) { return wanted && like(option) == *wanted; });
    return it == options.end() ? 1 : static_cast<int>(it - options.begin());
  }

  /// Step 2: writes the losses of problem_.
  void learn_in_place() {
    const std::optional<MixerSpec> other = commonest_change();
    for (int l = 0; l < layers(); ++l) {
      auto& items = problem_.layers[at(l)];
      if (items.size() == 1) continue;  // kept
      Items changed = best_;
      const bool own = best_[at(l)] == 0;
      const int probed = own ? option_like(l, other) : best_[at(l)];
      changed[at(l)] = own ? probed : 0;
      const double difference = loss_of(changed) - best_loss_;
      const double in_place = std::max(0.0, own ? difference : -difference);  // what `probed` costs here
      for (std::size_t o = 1; o < items.size(); ++o)
        items[o].loss = in_place_loss(l, planner_.options(l)[o], planner_.options(l)[at(probed)], in_place);
    }
  }

  /// What `spec` should cost a layer where `probed` costs `in_place`: another width changes in proportion, another kind
  /// by the same amount (a layer whose window is free in this plan can't do without attention for that).
  [[nodiscard]] double in_place_loss(int layer, const MixerSpec& spec, const MixerSpec& probed, double in_place) const {
    constexpr double most = 5;  // times; single losses of almost nothing have no meaningful ratio
    if (spec == probed) return in_place;
    const double loss = planner_.loss(layer, spec), alone = planner_.loss(layer, probed);
    if (spec.kind != probed.kind || alone <= 0) return loss + in_place - alone;
    return loss * std::clamp(in_place / alone, 1 / most, most);
  }

  /// The plan of least loss by the in-place losses.
  Items solved() const {
    const auto choices = solve_knapsack(problem_);
    LB_CHECK(!choices.empty());
    return choices.back().items;
  }

  /// Step 3: moves until `patience` fail one after another.
  void try_moves() {
    for (int failures = 0; failures < options_.patience && left() > 0;) {
      const auto move = most_promising();
      if (!move) return;
      const Items before = best_;
      const double loss_before = best_loss_;
      const Items changed = applied(*move);
      failures = take_if_better(changed) ? 0 : failures + 1;
      const double surprise = (loss_of(changed) - loss_before) + move->gain;
      for (int i = 0; i < move->size(); ++i) {
        auto& items = problem_.layers[at(move->layer[at(i)])];
        KnapsackItem& to = items[at(move->to[at(i)])];
        // Own mixers lose nothing by definition: there the error is what the layer had before.
        if (move->to[at(i)] != 0)
          to.loss += surprise / move->size();
        else
          items[at(before[at(move->layer[at(i)])])].loss -= surprise / move->size();
      }
    }
  }

  [[nodiscard]] Items applied(const Move& move) const {
    Items items = best_;
    for (int i = 0; i < move.size(); ++i) items[at(move.layer[at(i)])] = move.to[at(i)];
    return items;
  }

  /// The unmeasured move within the limits that should gain most; none when there is none.
  [[nodiscard]] std::optional<Move> most_promising() const {
    std::optional<Move> best;
    const auto consider = [&](const Move& move) {
      if ((!best || move.gain > best->gain) && !measured_.contains(applied(move))) best = move;
    };
    Limits limits(problem_, best_);
    for (int a = 0; a < layers(); ++a) {
      for (int to_a = 0; to_a < option_count(a); ++to_a) {
        if (to_a == best_[at(a)]) continue;
        limits.change(a, best_[at(a)], to_a);
        const double gain_a = loss(a, best_[at(a)]) - loss(a, to_a);
        if (limits.hold()) consider({{a, -1}, {to_a, 0}, gain_a});
        for (int b = a + 1; b < layers(); ++b) {
          for (int to_b = 0; to_b < option_count(b); ++to_b) {
            if (to_b == best_[at(b)]) continue;
            limits.change(b, best_[at(b)], to_b);
            if (limits.hold()) consider({{a, b}, {to_a, to_b}, gain_a + loss(b, best_[at(b)]) - loss(b, to_b)});
            limits.change(b, to_b, best_[at(b)]);
          }
        }
        limits.change(a, to_a, best_[at(a)]);
      }
    }
    return best;
  }

  [[nodiscard]] int option_count(int layer) const { return static_cast<int>(problem_.layers[at(layer)].size()); }
  [[nodiscard]] double loss(int layer, int option) const { return problem_.layers[at(layer)][at(option)].loss; }

  const Planner& planner_;
  KnapsackProblem problem_;
  const MeasurePlan& measure_;
  const JointSearchOptions options_;
  std::map<Items, JointLossValue> measured_;
  Items best_;
  double best_loss_ = 0;
};

/// The analysis with native mixers, one window, and the same with whole heads, and nothing else.
Analysis only(const Analysis& analysis, const MixerSpec& window) {
  const auto differs = [&](MixerSpec choice) {
    choice.full = window.full;
    return choice != window;
  };
  Analysis result = analysis;
  std::erase_if(result.choices, differs);
  for (auto& [layer, scores] : result.layers)
    std::erase_if(scores.choices, [&](const auto& choice) { return differs(choice.first); });
  return result;
}

}  // namespace

double JointLossValue::total(double retrieval_weight) const {
  return text + retrieval_weight * std::max(0.0, retrieval);
}

std::vector<std::vector<MixerSpec>> joint_search_starts(const Analysis& analysis, const LossRule& rule, int context,
                                                        const Budget& budget, const CostModel* cost) {
  std::vector<std::vector<MixerSpec>> starts;
  const auto add = [&](std::vector<MixerSpec> specs) {
    if (std::find(starts.begin(), starts.end(), specs) == starts.end()) starts.push_back(std::move(specs));
  };
  for (const double times : {1.0, 8.0, 64.0}) {
    const LossRule heavier = {rule.measure, rule.retrieval_weight * times};
    add(Planner(analysis, heavier, context).best(budget, cost).specs);
    for (const MixerSpec& choice : analysis.choices) {
      if (!has_window(choice.kind) || choice.full != 0) continue;
      const Planner planner(only(analysis, choice), heavier, context);
      const auto found = solve_knapsack(planner.problem(budget, cost));
      if (!found.empty()) add(planner.specs_of(found.back()));
    }
  }
  return starts;
}

JointSearchResult joint_search(const Planner& planner, const Budget& budget, const CostModel* cost,
                               const std::vector<std::vector<MixerSpec>>& starts, const MeasurePlan& measure,
                               const JointSearchOptions& options) {
  LB_CHECK(!starts.empty() && options.measurements >= 1);
  return Search(planner, planner.problem(budget, cost), measure, options).run(starts);
}

}  // namespace layerboost
