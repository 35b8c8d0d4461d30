#include "plan/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "artifact/analysis_for_tests.h"
#include "base/error_for_tests.h"

namespace layerboost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The sensitivity curve of Qwen3-4B, drop in accuracy, digitised from the paper.
const std::vector<double> paper_scores = {
    .1386, .0206, .0048, .0123, .0024, .0051, .0075, .0042, .0044, -.0037, .0049, .0048,  //
    .0151, .0054, .0189, .0236, .0327, .0227, .0305, .0464, .0361, .0416,  .0532, .0501,  //
    .0390, .0231, .0206, .0143, .0143, .0127, .0069, .0048, .0075, .0079,  .0054, .0056};

const LossRule kl_only = {"kl", 0};

std::vector<int> layers_with(const std::vector<MixerSpec>& specs, const MixerSpec& wanted) {
  std::vector<int> layers;
  for (std::size_t l = 0; l < specs.size(); ++l)
    if (specs[l] == wanted) layers.push_back(static_cast<int>(l));
  return layers;
}

TEST(Planner, KeepsTheLayersOfThePaper) {
  const Planner planner(removal_analysis(paper_scores), kl_only, 2048);
  const PlanChoice plan = planner.best({.softmax = 12});
  EXPECT_THAT(layers_with(plan.specs, softmax_spec), ElementsAre(0, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25));
}

TEST(Planner, SplitsByThresholdsAsThePaper) {
  const Analysis analysis = removal_analysis(paper_scores);
  const auto specs = plan_by_thresholds(analysis, "kl", 0.022, 0.010, window64);
  EXPECT_EQ(layers_with(specs, softmax_spec).size(), 12U);
  EXPECT_EQ(layers_with(specs, window64).size(), 8U);
  EXPECT_EQ(layers_with(specs, none_spec).size(), 16U);
  EXPECT_EQ(plan_by_removal(analysis, "kl", 12, 16, window64), specs);
  const auto kept = plan_by_removal(analysis, "kl", 12, 16, window64, {9});
  EXPECT_EQ(kept[9], softmax_spec);
  EXPECT_EQ(layers_with(kept, softmax_spec).size(), 12U);
}

TEST(Planner, RanksByCosineOnlyForTheSingleScore) {
  Analysis analysis = removal_analysis({0.1, 0.2, 0.3});
  for (auto& [layer, scores] : analysis.layers) scores.cosine = Measured{-1.0 * layer, 0, {}};
  EXPECT_EQ(plan_by_removal(analysis, "cosine", 1, 1, window64),
            (std::vector<MixerSpec>{softmax_spec, window64, none_spec}));
  EXPECT_THAT(test::error_of([&] { Planner(analysis, {"cosine", 0}, 2048); }), HasSubstr("only ranks layers"));
}

TEST(Planner, AddsRetrievalToTheLoss) {
  const Analysis analysis = random_analysis(4, 1);
  const Planner planner(analysis, {"kl", 0.5}, 2048);
  const Scores& scores = analysis.layers.at(2).choices.at(window64);
  EXPECT_DOUBLE_EQ(planner.loss(2, window64), scores.at("kl").mean + 0.5 * std::max(0.0, scores.at("retrieval").mean));
  EXPECT_DOUBLE_EQ(planner.loss(2, softmax_spec), 0);
  EXPECT_THAT(test::error_of([&] {
                return planner.loss(2, {MixerKind::window, 7, 0});
              }),
              HasSubstr("window:7 in layer 2"));
}

// Two windows, each tried in all of three KV heads and in one at a time.
Analysis head_analysis(const std::vector<double>& alone, double together) {
  Analysis analysis = removal_analysis({1});
  analysis.model.config.kv_heads = 3;
  analysis.choices.clear();
  analysis.layers.at(0).choices.clear();
  const auto add = [&](const char* choice, double loss) {
    analysis.choices.push_back(parse_mixer(choice));
    analysis.layers.at(0).choices[analysis.choices.back()]["kl"] = {loss, 0, {}};
  };
  add("window:64+4", together);
  add("window:64+4/full:1,2", alone[0]);
  add("window:64+4/full:0,2", alone[1]);
  add("window:64+4/full:0,1", alone[2]);
  return analysis;
}

TEST(Planner, KeepsTheHeadsThatLoseMost) {
  const Planner planner(head_analysis({0.1, 0.6, 0.3}, 2), kl_only, 1000);
  const MixerSpec one_whole = parse_mixer("window:64+4/full:1");
  EXPECT_THAT(planner.options(0), testing::Contains(one_whole));
  // Heads lose 1 one by one, and 2 together: two of them lose half way between one time and two times their sum.
  EXPECT_DOUBLE_EQ(planner.loss(0, one_whole), 1.5 * (0.1 + 0.3));
  // The cheapest within the memory of two heads, of one, and of none whole.
  const auto best = [&](double kv) { return to_string(planner.best({.kv = kv}).specs[0]); };
  EXPECT_EQ(best(0.9), "window:64+4/full:1,2");
  EXPECT_EQ(best(0.5), "window:64+4/full:1");
  EXPECT_EQ(best(0.2), "window:64+4");
}

TEST(Planner, LossesOfHeadsThatGainCountAsNone) {
  const Planner planner(head_analysis({-0.5, 0.25, 0.75}, 0.5), kl_only, 1000);
  EXPECT_DOUBLE_EQ(planner.loss(0, parse_mixer("window:64+4/full:2")), 0.25);  // no less than head 1 alone
  const Planner nothing(head_analysis({-1, -1, -1}, -0.5), kl_only, 1000);
  EXPECT_DOUBLE_EQ(nothing.loss(0, parse_mixer("window:64+4/full:0")), 0);
}

TEST(Planner, MoreWindowsLoseNoLessThanOneOfThem) {
  const Planner planner(head_analysis({0.1, 0.3, 0.32}, 0.2), kl_only, 1000);
  EXPECT_DOUBLE_EQ(planner.loss(0, parse_mixer("window:64+4/full:2")), 0.3);
}

TEST(Planner, WholeHeadsAreForLayersThatSeeEverything) {
  Analysis analysis = head_analysis({0.1, 0.6, 0.3}, 2);
  analysis.model.config.windows = {512};
  EXPECT_THAT(Planner(analysis, kl_only, 1000).options(0),
              ElementsAre(parse_mixer("window:512"), parse_mixer("window:64+4")));
}

TEST(Planner, HasTheSameOptionsWhateverRetrievalWeighs) {
  Analysis analysis = head_analysis({0.1, 0.6, 0.3}, 2);  // by text, head 1 first; by retrieval, head 2
  analysis.measures = {"kl", "retrieval"};
  for (auto& [choice, scores] : analysis.layers.at(0).choices) {
    const int full = head_count(choice.full);
    scores["retrieval"] = {full == 0 ? 3.0 : has_head(choice.full, 2) ? 0.5 : 2.0, 0, {}};
  }
  const Planner one(analysis, {"kl", 1}, 1000), heavy(analysis, {"kl", 64}, 1000);
  EXPECT_EQ(one.options(0), heavy.options(0));
  EXPECT_TRUE(one.has(0, parse_mixer("window:64+4/full:1")));
  EXPECT_TRUE(one.has(0, parse_mixer("window:64+4/full:2")));
  EXPECT_FALSE(one.has(0, parse_mixer("window:64+4/full:0")));
}

TEST(Planner, WithoutAllHeadsThereIsNothingBetween) {
  Analysis analysis = head_analysis({0.1, 0.6, 0.3}, 2);
  analysis.layers.at(0).choices.erase(analysis.choices.back());
  analysis.choices.pop_back();
  EXPECT_EQ(Planner(analysis, kl_only, 1000).options(0).size(), 1 + analysis.choices.size());
}

TEST(Planner, StaysWithinTheMemory) {
  const Planner planner(random_analysis(30, 2), {}, 2048);
  double before = 0;
  for (const double kv : {1.0, 0.6, 0.3, 0.15, 0.0}) {
    const PlanChoice plan = planner.best({.kv = kv});
    EXPECT_LE(planner.kv_fraction(plan.specs), kv);
    EXPECT_DOUBLE_EQ(planner.loss(plan.specs), plan.loss);
    EXPECT_GE(plan.loss, before);
    before = plan.loss;
  }
  EXPECT_EQ(planner.best({.kv = 1.0}).specs, std::vector<MixerSpec>(30, softmax_spec));
}

TEST(Planner, CombinesCountsMemoryAndKeptLayers) {
  const Planner planner(random_analysis(30, 3), {}, 2048);
  const PlanChoice plan = planner.best({.softmax = 8, .none = 5, .kv = 0.3, .keep = {4, 11}});
  EXPECT_EQ(layers_with(plan.specs, softmax_spec).size(), 8U);
  EXPECT_EQ(layers_with(plan.specs, none_spec).size(), 5U);
  EXPECT_EQ(plan.specs[4], softmax_spec);
  EXPECT_EQ(plan.specs[11], softmax_spec);
  EXPECT_LE(planner.kv_fraction(plan.specs), 0.3);
}

TEST(Planner, ReachesASpeed) {
  const Planner planner(random_analysis(30, 4), {}, 2048);
  const CostModel cost = {.rest = {1e-3, 1e-5, 0},
                          .mixers = {{"softmax", {1e-5, 1e-6, 1e-9}}, {"window", {1e-5, 1e-6, 1e-9}}, {"map", {}}}};
  const auto step = [&](const std::vector<MixerSpec>& specs) { return cost.step_seconds(specs, 64, 1024); };
  const double unchanged = step(std::vector<MixerSpec>(30, softmax_spec));
  const PlanChoice plan = planner.best({.speed = SpeedTarget{1.5, 64, 1024}}, &cost);
  EXPECT_GE(unchanged / step(plan.specs), 1.5 * (1 - 1e-6));
  EXPECT_LT(unchanged / step(plan.specs), 1.6);
  EXPECT_EQ(planner.best({.speed = SpeedTarget{1, 64, 1024}}, &cost).loss, 0);
  EXPECT_THAT(test::error_of([&] {
                return planner.best({.speed = SpeedTarget{50, 64, 1024}}, &cost);
              }),
              HasSubstr("`speedup` 50@64x1024: impossible here; the most is 3.55"));
}

TEST(Planner, KeepsAModelsOwnWindows) {
  Analysis analysis = random_analysis(4, 5);
  analysis.model.config.windows = {0, 4096, 0, 4096};
  const Planner planner(analysis, {}, 8192);
  const MixerSpec own = {MixerKind::window, 4096, 0};
  EXPECT_EQ(planner.best({.softmax = 2, .none = 0}).specs,
            (std::vector<MixerSpec>{softmax_spec, own, softmax_spec, own}));
}

TEST(Planner, AWindowOfTheModelsOwnIsNotSoftmax) {
  Analysis analysis = random_analysis(4, 5);
  analysis.model.config.windows = {0, 4096, 0, 4096};
  const Planner planner(analysis, {}, 8192);
  const auto specs = planner.best({.softmax = 1, .kv = 0.9}).specs;
  EXPECT_EQ(layers_with(specs, softmax_spec).size(), 1U);
  EXPECT_THAT(test::error_of([&] { return planner.best({.softmax = 3}); }),
              HasSubstr("`softmax` 3: the model has 2 layers without a window of their own"));
  EXPECT_EQ(layers_with(planner.best({.softmax = 1, .keep = {1, 3}}).specs, softmax_spec).size(), 1U);
  EXPECT_THAT(test::error_of([&] {
                return planner.best({.softmax = 2, .none = 1, .keep = {1, 3}});
              }),
              HasSubstr("`none` 1: at most 0 layers are left by `keep`"));
}

TEST(Planner, AModelsOwnWindowIsNotWidened) {
  Analysis analysis = random_analysis(4, 5);  // with window:64+4, window:256+4, map and none
  analysis.model.config.windows = {0, 64, 256, 260};
  const MixerSpec own = {MixerKind::window, 64, 0};
  const auto options = [&](int layer) {
    auto found = Planner(analysis, {}, 8192).options(layer);
    std::sort(found.begin(), found.end());
    return found;
  };
  EXPECT_THAT(options(0), ElementsAre(softmax_spec, window64, window256, map_spec, none_spec));
  EXPECT_THAT(options(1), ElementsAre(own, map_spec, none_spec));
  EXPECT_THAT(options(2), ElementsAre(window64, (MixerSpec{MixerKind::window, 256, 0}), map_spec, none_spec));
  EXPECT_THAT(options(3), ElementsAre(window64, (MixerSpec{MixerKind::window, 260, 0}), map_spec, none_spec));
  // Nor need it have been measured.
  analysis.layers.at(1).choices.erase(window64);
  analysis.layers.at(1).choices.erase(window256);
  EXPECT_THAT(options(1), ElementsAre(own, map_spec, none_spec));
}

TEST(Planner, ByOneScoreAModelsOwnWindowIsNeitherSoftmaxNorWidened) {
  Analysis analysis = removal_analysis({6, 5, 4, 3, 2, 1});
  analysis.model.config.windows = {0, 64, 512, 0, 64, 512};
  const MixerSpec own64 = {MixerKind::window, 64, 0}, own512 = {MixerKind::window, 512, 0};
  EXPECT_EQ(plan_by_thresholds(analysis, "kl", 4.5, 0, window64),
            (std::vector<MixerSpec>{softmax_spec, own64, window64, window64, own64, window64}));
  // Above the last that keeps softmax, a window stays.
  EXPECT_EQ(plan_by_removal(analysis, "kl", 2, 1, window64),
            (std::vector<MixerSpec>{softmax_spec, own64, own512, softmax_spec, own64, none_spec}));
  EXPECT_EQ(plan_by_removal(analysis, "kl", 1, 1, window64),
            (std::vector<MixerSpec>{softmax_spec, own64, window64, window64, own64, none_spec}));
  EXPECT_EQ(plan_by_removal(analysis, "kl", 0, 1, window64, {2}),
            (std::vector<MixerSpec>{window64, own64, own512, window64, own64, none_spec}));
  EXPECT_THAT(test::error_of([&] { return plan_by_removal(analysis, "kl", 3, 0, window64); }),
              HasSubstr("the model has 2 layers without a window of their own"));
}

TEST(Planner, SaysWhatIsPossibleWhenTheBudgetIsNot) {
  const Planner planner(random_analysis(30, 6), {}, 2048);
  const auto message = [&](const Budget& budget) { return test::error_of([&] { return planner.best(budget); }); };
  EXPECT_THAT(message({.softmax = 31}),
              HasSubstr("`softmax` 31 `none` 0: together they must be from 0 to the model's 30"));
  EXPECT_THAT(message({.softmax = 1, .keep = {1, 2}}), HasSubstr("`softmax` 1: `keep` names 2 layers already"));
  EXPECT_THAT(message({.keep = {30}}), HasSubstr("`keep` 30: there is no such layer; layers are 0 to 29"));
  EXPECT_THAT(message({.kv = 1.5}), HasSubstr("`kv` 1.5: must be from 0 to 1"));
  EXPECT_THAT(message({.softmax = 15, .kv = 0.2}), HasSubstr("`kv` 0.2: impossible here; the least is 0.5000"));
  EXPECT_THAT(message({.kv = 0.5, .speed = SpeedTarget{}}), HasSubstr("give only one"));
  const Planner only_none(removal_analysis({1, 2, 3}), kl_only, 2048);
  EXPECT_THAT(test::error_of([&] { return only_none.best({.softmax = 1, .none = 1}); }),
              HasSubstr("softmax 1, none 1"));
}

TEST(Planner, NeedsAFinishedAnalysisWithTheMeasure) {
  Analysis analysis = random_analysis(5, 7);
  EXPECT_THAT(test::error_of([&] { Planner(analysis, {"nll", 0}, 2048); }), HasSubstr("`by` nll"));
  EXPECT_THAT(test::error_of([&] {
                Planner(analysis, {"speed", 0}, 2048);
              }),
              HasSubstr("allowed: kl, nll, task, retrieval"));
  analysis.layers.erase(3);
  EXPECT_THAT(test::error_of([&] { Planner(analysis, {}, 2048); }), HasSubstr("4 of 5 layers"));
}

}  // namespace
}  // namespace layerboost
