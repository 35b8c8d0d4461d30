#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace layerboost {
namespace {

TEST(Random, IsTheSameEverywhere) {
  // The first outputs of xoshiro256++ whose state is the first four outputs of splitmix64 from seed 0.
  Random random(0);
  EXPECT_EQ(random.next(), 0x53175d61490b23dfU);
  EXPECT_EQ(random.next(), 0x61da6f3dc380d507U);
  EXPECT_EQ(random.next(), 0x5c0fdf91ec9a7bfcU);
}

TEST(Random, UniformStaysInsideAndFillsTheInterval) {
  Random random(1);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(Random, BelowIsFair) {
  Random random(2);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(Random, BelowOneIsZero) { EXPECT_EQ(Random(3).below(1), 0U); }

TEST(Random, NormalHasTheMomentsOfTheNormalDistribution) {
  Random random(4);
  const int n = 200000;
  double sum = 0, squares = 0, fourths = 0;
  int beyond_two = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
    beyond_two += std::abs(x) > 2 ? 1 : 0;
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.015);
  EXPECT_NEAR(fourths / n, 3, 0.1);
  EXPECT_NEAR(static_cast<double>(beyond_two) / n, 0.0455, 0.002);
}

TEST(Random, ForksDifferAndDoNotDependOnDraws) {
  Random random(5);
  const std::uint64_t first = random.fork(0).next();
  random.next();
  EXPECT_EQ(random.fork(0).next(), first);
  EXPECT_NE(random.fork(1).next(), first);
  EXPECT_NE(Random(6).fork(0).next(), first);
}

}  // namespace
}  // namespace layerboost
