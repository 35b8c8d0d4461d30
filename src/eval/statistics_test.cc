#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace layerboost {
namespace {

TEST(Statistics, MeanAndStandardError) {
  const std::array values = {1.0, 0.0, 1.0, 1.0};
  const Estimate result = estimate(values);
  EXPECT_DOUBLE_EQ(result.mean, 0.75);
  EXPECT_DOUBLE_EQ(result.error, 0.25);  // s^2 = (3 * 0.0625 + 0.5625) / 3 = 0.25; s / sqrt(4) = 0.25
  EXPECT_EQ(result.n, 4);
}

TEST(Statistics, TooFewValuesHaveNoError) {
  EXPECT_TRUE(std::isnan(estimate({}).mean));
  const std::array one = {3.0};
  EXPECT_DOUBLE_EQ(estimate(one).mean, 3);
  EXPECT_TRUE(std::isnan(estimate(one).error));
}

TEST(Statistics, PairsRemoveWhatIsCommon) {
  const std::array before = {1.0, 5.0, 9.0}, after = {1.5, 5.5, 9.5};
  const Estimate result = paired_difference(before, after);
  EXPECT_DOUBLE_EQ(result.mean, 0.5);
  EXPECT_DOUBLE_EQ(result.error, 0);
}

TEST(Statistics, WindowsWeighByTheirTokens) {
  const std::array sums = {2.0, 12.0};
  const std::array tokens = {2, 4};
  const WindowMean result = window_mean(sums, tokens);
  EXPECT_DOUBLE_EQ(result.mean.mean, 14.0 / 6);
  EXPECT_DOUBLE_EQ(result.mean.error, 1);  // of the means 1 and 3
  EXPECT_EQ(result.tokens, 6);
  EXPECT_EQ(result.windows, (std::vector<double>{1, 3}));
}

}  // namespace
}  // namespace layerboost
