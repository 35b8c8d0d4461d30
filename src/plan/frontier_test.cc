#include "plan/frontier.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "artifact/analysis_for_tests.h"

namespace layerboost {
namespace {

TEST(Frontier, RunsFromTheUnchangedModelToTheLeastMemory) {
  const Planner planner(random_analysis(30, 1), {}, 2048);
  const CostModel cost = {.rest = {1e-3, 0, 0},
                          .mixers = {{"softmax", {0, 0, 1e-9}}, {"window", {0, 0, 1e-9}}, {"map", {}}}};
  const auto points = frontier(planner, {}, &cost, {});
  ASSERT_GE(points.size(), 24U);
  ASSERT_LE(points.size(), 49U);
  EXPECT_EQ(points.front().specs, std::vector<MixerSpec>(30, softmax_spec));
  EXPECT_DOUBLE_EQ(*points.front().speedup, 1);
  EXPECT_EQ(points.back().kv_fraction, 0);
  for (std::size_t i = 1; i < points.size(); ++i) {
    EXPECT_LT(points[i].kv_fraction, points[i - 1].kv_fraction);
    EXPECT_GT(points[i].loss, points[i - 1].loss);
  }
}

TEST(Frontier, KneeIsFarthestBelowTheChord) {
  // Layers 0 to 7 are free, 8 and 9 dear: the curve turns after eight of ten.
  const Planner planner(removal_analysis({.01, .01, .01, .01, .01, .01, .01, .01, .3, .3}), {"kl", 0}, 2048);
  const PlanChoice best = knee(planner, planner.curve({}));
  EXPECT_NEAR(best.loss, 0.08, 1e-12);
  EXPECT_NEAR(planner.kv_fraction(best.specs), 0.2, 1e-12);
}

TEST(Frontier, KneeLeavesOutModelsThatNobodyWants) {
  // Without the ceiling of ln 2, removal of the last layer (loss 100) would make all others look free.
  const Planner planner(removal_analysis({.01, .01, .3, .3, 100}), {"kl", 0}, 2048);
  EXPECT_NEAR(knee(planner, planner.curve({})).loss, 0.02, 1e-12);
}

TEST(Frontier, WritesWhatTheReportDraws) {
  const Planner planner(random_analysis(12, 2), {}, 2048);
  const auto points = frontier(planner, {}, nullptr, {}, 20);
  std::vector<MixerSpec> chosen(12, softmax_spec);
  chosen[5] = none_spec;
  chosen[2] = window64;
  const auto with_share = [](double kv) { return fmt::format("a plan with {:.4f}", kv); };
  const Json json = frontier_json(points, planner, chosen, with_share, nullptr, {});
  EXPECT_EQ(json["context"], 2048);
  int marked = 0;
  double before = 2;
  for (const Json& point : json["points"]) {
    EXPECT_LE(point["kv_fraction"].get<double>(), before);
    before = point["kv_fraction"].get<double>();
    if (!point["chosen"].get<bool>()) continue;
    ++marked;
    EXPECT_EQ(point["layers"][2], "window:64+4");
  }
  EXPECT_EQ(marked, 1);
  EXPECT_EQ(json["points"][0]["command"], "a plan with 1.0000");
}

TEST(Frontier, CommandsMakeTheSamePlansAgain) {
  const Planner planner(random_analysis(30, 3), {}, 2048);
  const auto points = frontier(planner, {}, nullptr, {});
  const auto share = [](double kv) { return fmt::format("{:.4f}", kv); };
  const Json json = frontier_json(points, planner, points.front().specs, share, nullptr, {});
  int same = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double kv = std::stod(json["points"][i]["command"].get<std::string>());
    same += planner.best({.kv = kv}).specs == points[i].specs ? 1 : 0;
  }
  EXPECT_GE(same, static_cast<int>(points.size()) - 3);  // a neighbour may fit into the rounding
}

}  // namespace
}  // namespace layerboost
