#include "app/serving_levels.h"

#include <gtest/gtest.h>

#include "base/error_for_tests.h"

namespace layerboost {
namespace {

/// Level n has a perplexity of 1 + n/100, a KL of n/100, finds 1 - n/10, and runs 1 + n/4 times as fast.
Ladder ladder_for_tests(int rungs) {
  Ladder ladder;
  ladder.level_0.resize(static_cast<std::size_t>(rungs));
  for (int n = 0; n <= rungs; ++n) {
    if (n > 0) ladder.rungs.push_back({n - 1, parse_mixer("window:16+3")});
    LevelQuality quality;
    quality.perplexity_ratio = 1 + 0.01 * n;
    quality.kl = 0.01 * n;
    quality.retrieval = {{1024, 1, 1 - 0.1 * n, 0}, {2048, 1, 1 - 0.2 * n, 0}};
    quality.speedup = 1 + 0.25 * n;
    ladder.quality.emplace_back(quality);
  }
  return ladder;
}

TEST(ServingLevels, LimitsAreRead) {
  EXPECT_EQ(highest_level(ladder_for_tests(4), parse_quality_limits("1.021")), 2);
  EXPECT_EQ(highest_level(ladder_for_tests(4), parse_quality_limits("kl:0.031")), 3);
  EXPECT_EQ(highest_level(ladder_for_tests(4), parse_quality_limits("found:0.79")), 1);  // of the worst length
  EXPECT_EQ(highest_level(ladder_for_tests(4), parse_quality_limits("2")), 4);
  EXPECT_EQ(highest_level(ladder_for_tests(4), parse_quality_limits("1")), 0);
  EXPECT_EQ(highest_level(ladder_for_tests(4), parse_quality_limits("1.031,found:0.59,kl:1")), 2);
  EXPECT_EQ(to_string(parse_quality_limits("kl:0.03,found:0.9")), "KL 0.03, 90 % of the facts found");
  for (const char* wrong :
       {"", "0.9", "-1", "1.05x", "kl:", "kl:-1", "found:1.1", "found:nan", "inf", "ppl:1.1", "1.05,", ",1.05"})
    EXPECT_THAT(test::error_of([&] { parse_quality_limits(wrong); }), testing::HasSubstr("isn't a limit of quality"))
        << wrong;
}

TEST(ServingLevels, ALevelWithoutFiguresMeetsNoLimit) {
  Ladder ladder = ladder_for_tests(4);
  ladder.quality[2].reset();
  EXPECT_EQ(highest_level(ladder, parse_quality_limits("9")), 1);
  ladder.quality[0].reset();
  EXPECT_EQ(highest_level(ladder, parse_quality_limits("9")), -1);
  EXPECT_EQ(with_ladder(parse_levels("auto"), ladder, parse_quality_limits("9")).cap, 0);
  Ladder without = ladder_for_tests(2);
  for (auto& quality : without.quality) quality->retrieval.clear();
  EXPECT_EQ(highest_level(without, parse_quality_limits("found:0")), -1);
  EXPECT_EQ(to_string(usual_limits(without)), "perplexity 1.05 times");
  EXPECT_EQ(to_string(usual_limits(ladder_for_tests(2))), "perplexity 1.05 times, 80 % of the facts found");
}

TEST(ServingLevels, WordsAreRead) {
  EXPECT_EQ(parse_levels("off").mode, LevelMode::off);
  EXPECT_EQ(parse_levels("auto").mode, LevelMode::automatic);
  EXPECT_EQ(parse_levels("per-request").mode, LevelMode::per_request);
  EXPECT_EQ(parse_levels("fixed:7").mode, LevelMode::fixed);
  EXPECT_EQ(parse_levels("fixed:7").level, 7);
  for (const char* wrong : {"", "on", "fixed", "fixed:", "fixed:-1", "fixed:1.5", "fixed:99999999999", "Auto"})
    EXPECT_NE(test::error_of([&] { parse_levels(wrong); }), "") << wrong;
}

TEST(ServingLevels, TheLadderSaysCapAndCosts) {
  const LevelOptions options = with_ladder(parse_levels("auto"), ladder_for_tests(4), parse_quality_limits("1.025"));
  EXPECT_EQ(options.cap, 2);
  ASSERT_EQ(options.cost.size(), 5U);
  EXPECT_EQ(options.cost[0], 1);
  EXPECT_DOUBLE_EQ(options.cost[4], 0.5);
  EXPECT_EQ(test::error_of([] { with_ladder(parse_levels("fixed:5"), ladder_for_tests(4), {}); }),
            "level 5: the ladder has levels 0 to 4");
}

}  // namespace
}  // namespace layerboost
