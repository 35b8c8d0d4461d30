// What is learnt from steps, and foreseen for levels.
#include "engine/pace.h"

#include <gtest/gtest.h>

#include <cmath>

#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

const Config config = test::small_config();
constexpr int step_tokens = 100;

/// Two levels; what a level keeps of what comes before a prompt's token.
const std::vector<double> bytes = {2000, 500};

/// Prompts' tokens take 1 ms and 1 µs for each byte that is kept; rows that write take 0.1 s together.
Pace taught_pace(std::vector<double> cost = {1, 0.5}) {
  Pace pace(config, std::move(cost), step_tokens);
  for (int i = 0; i < 100; ++i) {
    const double kept = i % 2 == 0 ? 1000 : 3000;
    pace.measure({step_tokens, step_tokens, kept / 10, kept}, step_tokens * (0.001 + 1e-6 * kept));
    pace.measure({5, 0, 0, 0}, 0.1);
  }
  pace.measure_answer(100);
  return pace;
}

TEST(PromptCost, IsLearntFromPromptsOfSeveralLengths) {
  PromptCost cost(config);
  EXPECT_FALSE(cost.known());
  for (int i = 0; i < 200; ++i) {
    const double kept = 1000 + 500 * (i % 5);
    cost.measure(kept, (0.001 + 1e-6 * kept) * (1 + 0.05 * std::sin(i)));  // as times are, not quite alike
  }
  EXPECT_TRUE(cost.known());
  EXPECT_NEAR(cost.seconds(2000), 0.003, 0.0001);
  EXPECT_NEAR(cost.seconds(200), 0.0012, 0.0002);
}

TEST(PromptCost, OfPromptsThatAreAlikeIsTheArithmetics) {
  PromptCost cost(config);
  const double share = cost.seconds(500) / cost.seconds(2000);
  EXPECT_GT(share, 0);
  EXPECT_LT(share, 1);
  for (int i = 0; i < 100; ++i) cost.measure(2000, 0.003 * (1 + 0.05 * std::sin(i)));
  EXPECT_NEAR(cost.seconds(2000), 0.003, 0.0001);
  EXPECT_NEAR(cost.seconds(500) / cost.seconds(2000), share, 1e-6);
}

TEST(PromptCost, WhereAttentionTakesNothingAllBytesCostTheSame) {
  PromptCost cost(config);
  for (int i = 0; i < 200; ++i) cost.measure(1000 + 500 * (i % 5), 0.001);
  EXPECT_NEAR(cost.seconds(0), 0.001, 0.00005);
  EXPECT_GE(cost.seconds(0), 0);
}

TEST(Pace, TheFirstTokenWaitsForAllPromptsInFullSteps) {
  const std::vector<WaitingTimes> times = taught_pace().foresee({1000, 0, 0, 0, {{2, 11, 1000}}}, bytes, 0);
  ASSERT_EQ(times.size(), 2U);
  // 1000 tokens are ten steps of 0.3 + 0.1 s at level 0, of 0.15 + 0.05 at level 1; most requests wait for longer.
  EXPECT_NEAR(times[0].first_token, 1.25 * 4, 0.1);
  EXPECT_NEAR(times[1].first_token, 1.25 * 2, 0.1);
  EXPECT_NEAR(taught_pace().foresee({1000, 0, 7, 0, {}}, bytes, 0)[0].first_token, 1.25 * 7, 1e-9);
}

TEST(Pace, WhereNobodyWritesStepsOnlyRead) {
  const std::vector<WaitingTimes> times = taught_pace().foresee({1000, 0, 0, 0, {}}, bytes, 0);
  EXPECT_NEAR(times[0].first_token, 1.25 * 3, 0.1);
  EXPECT_EQ(times[0].between_tokens, 0);
}

TEST(Pace, NoLevelShortensPromptsWhoseLevelIsSettled) {
  const std::vector<WaitingTimes> times = taught_pace().foresee({0, 1000, 0, 0, {}}, bytes, 0);
  EXPECT_NEAR(times[0].first_token, 1.25 * 3, 0.1);
  EXPECT_EQ(times[1].first_token, times[0].first_token);
  const std::vector<WaitingTimes> half = taught_pace().foresee({500, 500, 0, 0, {}}, bytes, 0);
  EXPECT_NEAR(half[1].first_token, (times[0].first_token + 1.25 * 1.5) / 2, 0.1);
}

TEST(Pace, AStepThatWasHeldUpIsForgottenSoon) {
  Pace pace = taught_pace();
  pace.measure({step_tokens, step_tokens, 200, 2000}, 60);
  EXPECT_LT(pace.foresee({1000, 0, 0, 0, {}}, bytes, 0)[0].first_token, 1.1 * 1.25 * 3);
  // Writing was slow for long, and isn't any more: seen in steps that read, too.
  for (int i = 0; i < 100; ++i) pace.measure({5, 0, 0, 0}, 2);
  for (int i = 0; i < 100; ++i) pace.measure({step_tokens, step_tokens - 5, 200, 2000}, 0.3);
  EXPECT_LT(pace.foresee({0, 0, 0, 0, {{0, 1, 1000}}}, bytes, 0)[0].between_tokens, 0.2);
}

TEST(Pace, PromptsThatWaitMakeTheNextTokensLate) {
  const Writer writer = {2, 11, 1000};  // ten tokens in 2 s
  const auto between = [&](double unread, int level) {
    return taught_pace().foresee({unread, 0, 0, 0, {writer}}, bytes, 0)[static_cast<std::size_t>(level)].between_tokens;
  };
  // 30 tokens are a short answer: 19 more. Without prompts they take 0.1 s each, with ten steps' of them ten take 0.4.
  EXPECT_NEAR(between(0, 0), 1.25 * (2 + 19 * 0.1) / 29, 0.01);
  EXPECT_NEAR(between(1000, 0), 1.25 * (2 + 10 * 0.4 + 9 * 0.1) / 29, 0.01);
  EXPECT_LT(between(1000, 1), 0.6 * between(1000, 0));
  EXPECT_NEAR(between(1e6, 0), 1.25 * (2 + 19 * 0.4) / 29, 0.02);
}

TEST(Pace, AFewSlowTokensAreNoVerdict) {
  Pace pace = taught_pace();
  for (int i = 0; i < 100; ++i) pace.measure_answer(1);
  EXPECT_NEAR(pace.foresee({0, 0, 0, 0, {{4, 3, 1000}}}, bytes, 0)[0].between_tokens, 1.25 * 4 / 16, 0.01);
}

TEST(Pace, ALevelOfUnknownCostCostsAsTheLastKnown) {
  const std::vector<double> same(8, 2000);
  const std::vector<WaitingTimes> times = taught_pace({1, 0.9, 0.7}).foresee({0, 0, 0, 0, {{2, 11, 1000}}}, same, 0);
  EXPECT_LT(times[2].between_tokens, times[1].between_tokens);
  EXPECT_EQ(times[7].between_tokens, times[2].between_tokens);
  EXPECT_EQ(taught_pace({}).foresee({0, 0, 0, 0, {{2, 11, 1000}}}, same, 0)[7].between_tokens, times[0].between_tokens);
}

TEST(Pace, ForeseesNothingBeforeTheFirstStep) {
  const Pace pace(config, {1, 0.5}, step_tokens);
  const std::vector<WaitingTimes> times = pace.foresee({1000, 0, 2, 0, {}}, bytes, 0);
  EXPECT_EQ(times[0].first_token, 1.25 * 2);
  EXPECT_LE(times[1].first_token, times[0].first_token);
  EXPECT_EQ(times[0].between_tokens, 0);
}

}  // namespace
}  // namespace layerboost
