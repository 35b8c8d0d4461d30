#include "generate/logits_processors.h"

#include <gtest/gtest.h>

#include "generate/token_filter_for_tests.h"

namespace layerboost {
namespace {

std::vector<float> changed(const LogitsProcessors& changes, std::vector<float> logits,
                           std::vector<TokenId> left_out = {}) {
  changes.apply(logits, left_out);
  return logits;
}

TEST(LogitsProcessors, NothingByDefault) {
  LogitsProcessors changes({}, std::vector<TokenId>{0, 1});
  changes.see(2);
  EXPECT_FALSE(changes.any());
  EXPECT_EQ(changed(changes, {1, 2, 3}), (std::vector<float>{1, 2, 3}));
}

TEST(LogitsProcessors, RepetitionCountsPromptAndText) {
  Sampling sampling;
  sampling.repetition_penalty = 2;
  LogitsProcessors changes(sampling, std::vector<TokenId>{0, 1, 1});
  changes.see(3);
  EXPECT_TRUE(changes.any());
  EXPECT_EQ(changed(changes, {4, -4, 4, 2}), (std::vector<float>{2, -8, 4, 1}));
}

TEST(LogitsProcessors, PresenceAndFrequencyCountTheTextOnly) {
  Sampling sampling;
  sampling.presence_penalty = 0.5;
  sampling.frequency_penalty = 0.25;
  LogitsProcessors changes(sampling, std::vector<TokenId>{0});
  changes.see(1);
  changes.see(2);
  changes.see(2);
  EXPECT_EQ(changed(changes, {4, 4, 4}), (std::vector<float>{4, 3.25, 3}));
}

TEST(LogitsProcessors, BiasComesFirstThenPenalties) {
  Sampling sampling;
  sampling.repetition_penalty = 2;
  sampling.logit_bias = {{0, 3.0F}, {1, -100.0F}};
  const LogitsProcessors changes(sampling, std::vector<TokenId>{0});
  EXPECT_EQ(changed(changes, {1, 1}), (std::vector<float>{2, -99}));
}

TEST(LogitsProcessors, LeftOutTokensAreOutOfReach) {
  Sampling sampling;
  sampling.repetition_penalty = 0.001;
  sampling.logit_bias = {{1, 100.0F}};
  const LogitsProcessors changes(sampling, std::vector<TokenId>{1});
  const std::vector<float> logits = changed(changes, {0, 0, -3}, {1});
  Random random(1);
  for (const double temperature : {0.0, 0.01, 100.0})
    for (int i = 0; i < 100; ++i) EXPECT_NE(sample(logits.data(), 1, 3, {temperature, 1}, random), 1);
}

TEST(LogitsProcessors, OnlyAllowedTokensAreLeft) {
  Sampling sampling;
  sampling.filter = test::only({1, 66, 66});
  sampling.logit_bias = {{0, 100.0F}};
  const LogitsProcessors changes(sampling, {});
  EXPECT_TRUE(changes.any());
  std::vector<float> logits = changed(changes, std::vector<float>(200, 3));
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(logits[static_cast<std::size_t>(i)], i == 1 || i == 66 ? 3 : out_of_reach) << i;
}

TEST(LogitsProcessors, BadWordsLoseTheirLastToken) {
  Sampling sampling;
  sampling.filter = test::all_but({{0}, {1, 2, 3}, {3, 1}});
  LogitsProcessors changes(sampling, std::vector<TokenId>{1, 2});  // the prompt doesn't count
  const auto left_out = [&] {
    std::vector<TokenId> tokens;
    const std::vector<float> logits = changed(changes, {1, 1, 1, 1});
    for (TokenId token = 0; token < 4; ++token)
      if (logits[static_cast<std::size_t>(token)] <= out_of_reach) tokens.push_back(token);
    return tokens;
  };
  EXPECT_TRUE(changes.any());
  EXPECT_EQ(left_out(), std::vector<TokenId>{0});
  changes.see(2);  // too short yet for the longest
  EXPECT_EQ(left_out(), std::vector<TokenId>{0});
  changes.see(1);
  changes.see(2);
  EXPECT_EQ(left_out(), (std::vector<TokenId>{0, 3}));
  changes.see(3);
  EXPECT_EQ(left_out(), (std::vector<TokenId>{0, 1}));
}

TEST(LogitsProcessors, WhereNothingIsLeftNothingIsSampled) {
  Sampling sampling;
  sampling.filter = test::only({1});
  const std::vector<float> logits = {5, 1, 2};
  ScratchStack scratch;
  Random random(1);
  for (const Sampling& way : {Sampling{}, Sampling{.temperature = 1}, Sampling{.temperature = 1, .top_p = 0.5},
                              Sampling{.temperature = 2, .top_k = 2, .min_p = 0.1}}) {
    const LogitsProcessors changes(sampling, {});
    EXPECT_EQ(sample(logits.data(), 1, 3, way, changes, {}, random, scratch).token, 1);
    const Chosen none = sample(logits.data(), 1, 3, way, changes, std::vector<TokenId>{1}, random, scratch);
    EXPECT_EQ(none.token, -1);
    EXPECT_NE(std::string(none.error).find("may come next"), std::string::npos);
  }
}

}  // namespace
}  // namespace layerboost
