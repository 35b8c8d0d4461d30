#include "generate/logits_processors.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace layerboost
