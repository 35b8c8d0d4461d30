#include "generate/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"

namespace layerboost {
namespace {

/// Logits of 3000 tokens (several chunks) where five have these probabilities and the others none.
class SamplerTest : public ::testing::Test {
 protected:
  SamplerTest() : logits_(3000, -1000.0F) {
    for (std::size_t i = 0; i < ids_.size(); ++i)
      logits_[static_cast<std::size_t>(ids_[i])] = static_cast<float>(std::log(probabilities_[i]) / 0.5);
  }

  std::vector<double> frequencies(const Sampling& sampling) {
    Random random(7);
    std::vector<double> counts(ids_.size() + 1);
    for (int i = 0; i < draws_; ++i) {
      const TokenId id = sample(logits_.data(), 0.5F, 3000, sampling, random);
      std::size_t k = 0;
      while (k < ids_.size() && ids_[k] != id) ++k;
      counts[k] += 1.0 / draws_;
    }
    return counts;
  }

  static constexpr int draws_ = 20000;
  const std::vector<int> ids_ = {0, 5, 1024, 2047, 2999};
  const std::vector<double> probabilities_ = {0.1, 0.4, 0.05, 0.25, 0.2};
  std::vector<float> logits_;
};

TEST_F(SamplerTest, NothingIsDrawnFromWhatIsNotANumber) {
  Random random(1);
  const std::vector<Sampling> all = {{.temperature = 0},
                                     {.temperature = 1},
                                     {.temperature = 1, .top_p = 0.9},
                                     {.temperature = 1, .top_k = 5},
                                     {.temperature = 1, .min_p = 0.1}};
  for (const Sampling& sampling : all) {
    EXPECT_EQ(sample(logits_.data(), std::numeric_limits<float>::quiet_NaN(), 3000, sampling, random), -1);
    std::vector<float> spoilt = logits_;
    spoilt[1500] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(sample(spoilt.data(), 0.5F, 3000, sampling, random), -1);
  }
}

TEST_F(SamplerTest, ZeroTemperatureTakesTheLikeliest) {
  Random random(1);
  EXPECT_EQ(sample(logits_.data(), 0.5F, 3000, {}, random), 5);
}

TEST_F(SamplerTest, DrawsByProbability) {
  const std::vector<double> found = frequencies({1, 1});
  for (std::size_t i = 0; i < ids_.size(); ++i) EXPECT_NEAR(found[i], probabilities_[i], 0.015) << ids_[i];
  EXPECT_EQ(found.back(), 0);
}

// Forms of answers leave few tokens, the others with logits of -1e30: whole blocks of these count for nothing.
TEST_F(SamplerTest, DrawsByProbabilityAmongTheFewThatAreLeft) {
  const std::vector<int> ids = {1600, 2700, 4999};
  const std::vector<float> given = {0.5F, 1.5F, 1.0F};
  std::vector<float> logits(6000, -1e30F);
  for (std::size_t i = 0; i < ids.size(); ++i) logits[static_cast<std::size_t>(ids[i])] = given[i];
  for (const double temperature : {0.2, 0.3, 0.5, 0.8, 1.0, 1.1, 1.3, 2.0}) {
    double sum = 0;
    for (const float logit : given) sum += std::exp(static_cast<double>(logit) / temperature);
    for (const Sampling& sampling :
         {Sampling{.temperature = temperature}, Sampling{.temperature = temperature, .top_p = 0.9999},
          Sampling{.temperature = temperature, .top_k = 10}}) {
      Random random(3);
      std::vector<int> counts(ids.size());
      constexpr int draws = 4000;
      for (int i = 0; i < draws; ++i) {
        const auto found = std::ranges::find(ids, sample(logits.data(), 1, 6000, sampling, random));
        ASSERT_NE(found, ids.end()) << temperature;
        ++counts[static_cast<std::size_t>(found - ids.begin())];
      }
      for (std::size_t i = 0; i < ids.size(); ++i)
        EXPECT_NEAR(counts[i] / static_cast<double>(draws), std::exp(static_cast<double>(given[i]) / temperature) / sum,
                    0.03)
            << temperature << " " << ids[i];
    }
  }
}

TEST_F(SamplerTest, TemperatureSharpens) {
  const std::vector<double> found = frequencies({0.5, 1});
  const double total = 0.01 + 0.16 + 0.0025 + 0.0625 + 0.04;
  EXPECT_NEAR(found[1], 0.16 / total, 0.015);
  EXPECT_NEAR(found[0], 0.01 / total, 0.015);
}

TEST_F(SamplerTest, NucleusLeavesOutTheRest) {
  const std::vector<double> found = frequencies({1, 0.6});  // 0.4 + 0.25 reach it
  EXPECT_NEAR(found[1], 0.4 / 0.65, 0.015);
  EXPECT_NEAR(found[3], 0.25 / 0.65, 0.015);
  EXPECT_EQ(found[0] + found[2] + found[4] + found[5], 0);
}

TEST_F(SamplerTest, TopKKeepsTheLikeliest) {
  Sampling sampling{1, 1};
  sampling.top_k = 2;
  std::vector<double> found = frequencies(sampling);
  EXPECT_NEAR(found[1], 0.4 / 0.65, 0.015);
  EXPECT_NEAR(found[3], 0.25 / 0.65, 0.015);
  EXPECT_EQ(found[0] + found[2] + found[4] + found[5], 0);
  sampling.top_p = 0.6;  // of what top_k left: 0.4 / 0.65 reaches it
  found = frequencies(sampling);
  EXPECT_NEAR(found[1], 1, 1e-9);
  sampling.top_p = 1;
  sampling.top_k = 100000;
  found = frequencies(sampling);
  for (std::size_t i = 0; i < ids_.size(); ++i) EXPECT_NEAR(found[i], probabilities_[i], 0.015) << ids_[i];
}

TEST_F(SamplerTest, MinPLeavesOutTheUnlikely) {
  Sampling sampling{1, 1};
  sampling.min_p = 0.45;  // of 0.4: at least 0.18
  const std::vector<double> found = frequencies(sampling);
  EXPECT_NEAR(found[1], 0.4 / 0.85, 0.015);
  EXPECT_NEAR(found[3], 0.25 / 0.85, 0.015);
  EXPECT_NEAR(found[4], 0.2 / 0.85, 0.015);
  EXPECT_EQ(found[0] + found[2] + found[5], 0);
}

TEST_F(SamplerTest, WideNucleusOfAFlatDistribution) {
#ifdef LAYERBOOST_SANITIZED
  GTEST_SKIP() << "8000 draws among 3000 tokens take minutes under AddressSanitizer";
#endif
  // 3000 nearly equal tokens: half of them are needed, more than are sorted at first.
  for (std::size_t id = 0; id < logits_.size(); ++id) logits_[id] = -1e-4F * static_cast<float>(id);
  Random random(3);
  std::vector<int> counts(3000);
  for (int i = 0; i < 8000; ++i) ++counts[static_cast<std::size_t>(sample(logits_.data(), 1, 3000, {1, 0.5}, random))];
  double expected_end = 0, sum = 0;
  for (int id = 0; id < 3000; ++id) sum += std::exp(-1e-4 * id);
  for (double part = 0; part < 0.5 * sum; ++expected_end) part += std::exp(-1e-4 * expected_end);
  int sampled = 0, last = 0;
  for (int id = 0; id < 3000; ++id) {
    if (counts[static_cast<std::size_t>(id)] == 0) continue;
    ++sampled;
    last = id;
  }
  EXPECT_NEAR(last, expected_end, 3);
  EXPECT_GT(sampled, 0.98 * expected_end);
}

TEST(Sampling, Limits) {
  EXPECT_NO_THROW(check_sampling({0, 1}, 3000));
  EXPECT_THROW(check_sampling({-1, 1}, 3000), Error);
  EXPECT_THROW(check_sampling({std::nan(""), 1}, 3000), Error);
  EXPECT_THROW(check_sampling({1, 0}, 3000), Error);
  EXPECT_THROW(check_sampling({1, 1.5}, 3000), Error);
  const auto refused = [](auto change) {
    Sampling sampling;
    change(sampling);
    EXPECT_THROW(check_sampling(sampling, 3000), Error);
  };
  refused([](Sampling& s) { s.top_k = -1; });
  refused([](Sampling& s) { s.min_p = 1.1; });
  refused([](Sampling& s) { s.min_p = std::nan(""); });
  refused([](Sampling& s) { s.repetition_penalty = 0; });
  refused([](Sampling& s) { s.presence_penalty = std::numeric_limits<double>::infinity(); });
  refused([](Sampling& s) { s.frequency_penalty = std::nan(""); });
  refused([](Sampling& s) { s.logit_bias = {{3, 101.0F}}; });
}

}  // namespace
}  // namespace layerboost
