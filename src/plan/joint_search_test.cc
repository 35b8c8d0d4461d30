#include "plan/joint_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "artifact/analysis_for_tests.h"
#include "base/interrupt.h"

namespace layerboost {
namespace {

/// A model whose layers' losses depend on each other: single losses are those of the analysis, and neighbouring groups
/// of changed layers lose more together than alone.
class TestModel {
 public:
  explicit TestModel(int layers, std::uint64_t seed) : analysis(random_analysis(layers, seed)) {
    Random random(seed + 1000);
    for (int l = 0; l < layers; ++l) {
      share_.push_back(std::exp(1.5 * random.normal() - 3));  // what it does for retrieval, together with others
      Scores& none = analysis.layers[l].choices[none_spec];
      for (auto& [choice, scores] : analysis.layers[l].choices)
        scores["retrieval"].mean = joint_retrieval(std::vector<double>{strength(choice) * share_.back()});
      none["kl"].mean += 0.01;
    }
  }

  JointLossValue measure(const std::vector<MixerSpec>& specs) {
    ++calls;
    JointLossValue value;
    std::vector<double> lost;
    double before = 0;
    for (std::size_t l = 0; l < specs.size(); ++l) {
      if (specs[l] == softmax_spec) {
        before = 0;
        continue;
      }
      const double alone = analysis.layers[static_cast<int>(l)].choices[specs[l]]["kl"].mean;
      value.text += alone + 2 * std::sqrt(alone * before);
      before = alone;
      lost.push_back(strength(specs[l]) * share_[l]);
    }
    value.retrieval = joint_retrieval(lost);
    return value;
  }

  Analysis analysis;
  int calls = 0;

 private:
  static double strength(const MixerSpec& spec) { return spec.kind == MixerKind::window ? 64.0 / spec.window : 1.2; }
  static double joint_retrieval(const std::vector<double>& lost) {
    double sum = 0;
    for (const double x : lost) sum += x;
    return 8 * sum * sum / (0.2 + sum * sum);
  }

  std::vector<double> share_;
};

/// The least joint loss within the budget, by trying everything.
double least(TestModel& model, const Planner& planner, const Budget& budget) {
  const KnapsackProblem problem = planner.problem(budget);
  std::vector<int> items(problem.layers.size());
  double best = std::numeric_limits<double>::infinity();
  while (true) {
    std::int64_t cost = 0;
    for (std::size_t l = 0; l < items.size(); ++l) cost += problem.layers[l][static_cast<std::size_t>(items[l])].cost;
    if (cost <= *problem.budget)
      best = std::min(best, model.measure(planner.specs_of({0, 0, items})).total(planner.rule().retrieval_weight));
    std::size_t l = 0;
    while (l < items.size() && ++items[l] == static_cast<int>(problem.layers[l].size())) items[l++] = 0;
    if (l == items.size()) return best;
  }
}

JointSearchResult search(TestModel& model, const Planner& planner, const Budget& budget, JointSearchOptions options) {
  const auto starts = joint_search_starts(model.analysis, planner.rule(), planner.context(), budget, nullptr);
  return joint_search(
      planner, budget, nullptr, starts, [&](const auto& specs) { return model.measure(specs); }, options);
}

TEST(JointSearch, ComesCloseToTheBestOfAll) {
  const LossRule rule = {"kl", 0.1};
  const Budget budget = {.kv = 0.45};
  double ratio = 0, additive_ratio = 0;
  const int models = 20;
  for (int seed = 0; seed < models; ++seed) {
    TestModel model(7, static_cast<std::uint64_t>(seed));
    const Planner planner(model.analysis, rule, 2048);
    const JointSearchResult found = search(model, planner, budget, {});
    EXPECT_LE(planner.kv_fraction(found.specs), 0.45);
    EXPECT_LE(found.measurements, 120);
    const double best = least(model, planner, budget);
    const double additive = model.measure(planner.best(budget).specs).total(rule.retrieval_weight);
    EXPECT_LE(found.measured.total(rule.retrieval_weight), additive + 1e-12);
    ratio += found.measured.total(rule.retrieval_weight) / best / models;
    additive_ratio += additive / best / models;
  }
  EXPECT_LT(ratio, 1.02);
  EXPECT_GT(additive_ratio, 1.05);  // or the test shows nothing
}

TEST(JointSearch, ImprovesThirtyLayersWithinItsMeasurements) {
  double ratio = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    TestModel model(30, seed);
    const Planner planner(model.analysis, {"kl", 0.1}, 2048);
    const Budget budget = {.kv = 0.3, .keep = {3}};
    const double additive = model.measure(planner.best(budget).specs).total(0.1);
    model.calls = 0;
    const JointSearchResult found = search(model, planner, budget, {});
    EXPECT_LE(model.calls, 120);
    EXPECT_EQ(model.calls, found.measurements);
    EXPECT_EQ(found.specs[3], softmax_spec);
    EXPECT_LE(planner.kv_fraction(found.specs), 0.3);
    EXPECT_DOUBLE_EQ(found.measured.total(0.1), model.measure(found.specs).total(0.1));
    ratio += found.measured.total(0.1) / additive / 5;
  }
  EXPECT_LT(ratio, 0.95);
}

// What heads lose by text says another order than what they lose by retrieval, which starts weigh up to 64 times.
TEST(JointSearch, ChoosesByHead) {
  constexpr int layers = 12;
  Analysis analysis = empty_analysis(layers);
  analysis.measures = {"kl", "retrieval"};
  Random random(5);
  const auto lost_by = [](const MixerSpec& spec, const std::vector<double>& heads) {
    double sum = 0;
    for (int head = 0; spec != softmax_spec && head < 3; ++head)
      if (!has_head(spec.full, head)) sum += heads[static_cast<std::size_t>(head)];
    return sum;
  };
  std::vector<std::vector<double>> text(layers), facts(layers);
  for (const char* choice : {"window:64+4", "window:64+4/full:0,1", "window:64+4/full:0,2", "window:64+4/full:1,2"})
    analysis.choices.push_back(parse_mixer(choice));
  for (int l = 0; l < layers; ++l) {
    for (int head = 0; head < 3; ++head) {
      text[static_cast<std::size_t>(l)].push_back(0.1 * random.uniform());
      facts[static_cast<std::size_t>(l)].push_back(random.uniform() < 0.2 ? 1 : 0);
    }
    for (const MixerSpec& choice : analysis.choices) {
      analysis.layers[l].choices[choice]["kl"] = {lost_by(choice, text[static_cast<std::size_t>(l)]), 0, {}};
      analysis.layers[l].choices[choice]["retrieval"] = {lost_by(choice, facts[static_cast<std::size_t>(l)]), 0, {}};
    }
  }
  const auto measure = [&](const std::vector<MixerSpec>& specs) {
    JointLossValue value;
    for (std::size_t l = 0; l < specs.size(); ++l) {
      value.text += lost_by(specs[l], text[l]);
      value.retrieval += lost_by(specs[l], facts[l]);
    }
    return value;
  };
  for (const double weight : {0.02, 1.0}) {
    const LossRule rule = {"kl", weight};
    const Planner planner(analysis, rule, 2048);
    const Budget budget = {.kv = 0.4};
    const auto starts = joint_search_starts(analysis, rule, 2048, budget, nullptr);
    const JointSearchResult found = joint_search(planner, budget, nullptr, starts, measure, {});
    EXPECT_LE(planner.kv_fraction(found.specs), 0.4);
    EXPECT_LE(found.measured.total(weight), measure(planner.best(budget).specs).total(weight));
    if (weight == 1) {
      EXPECT_EQ(found.measured.retrieval, 0);  // heads that look things up are whole
    }
  }
}

TEST(JointSearch, IsTheSameEachTime) {
  TestModel model(12, 3);
  const Planner planner(model.analysis, {"kl", 0.1}, 2048);
  const Budget budget = {.softmax = 4, .none = 2};
  const auto first = search(model, planner, budget, {});
  EXPECT_EQ(search(model, planner, budget, {}).specs, first.specs);
  EXPECT_EQ(std::count(first.specs.begin(), first.specs.end(), softmax_spec), 4);
  EXPECT_EQ(std::count(first.specs.begin(), first.specs.end(), none_spec), 2);
}

TEST(JointSearch, LetsInterruptsThrough) {
  TestModel model(12, 3);
  const Planner planner(model.analysis, {"kl", 0.1}, 2048);
  const auto stop = [](const std::vector<MixerSpec>&) -> JointLossValue { throw Interrupted("stopped"); };
  EXPECT_THROW(joint_search(planner, {}, nullptr, {std::vector<MixerSpec>(12, softmax_spec)}, stop), Interrupted);
}

}  // namespace
}  // namespace layerboost
