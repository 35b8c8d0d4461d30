#include "plan/rank_correlation.h"

#include <gtest/gtest.h>

#include <cmath>

namespace layerboost {
namespace {

TEST(RankCorrelation, IsOneForTheSameOrderAndMinusOneForTheReverse) {
  const std::vector<double> a = {1, 2, 3, 4}, b = {0.1, 5, 6, 1000}, c = {4, 3, 2, -7};
  EXPECT_DOUBLE_EQ(spearman(a, b), 1);
  EXPECT_DOUBLE_EQ(spearman(a, c), -1);
}

TEST(RankCorrelation, GivesEqualValuesTheMeanOfTheirRanks) {
  // By hand: ranks 0 1.5 1.5 3 4 and 1 0 3.5 3.5 2; 3.75 / 9.5.
  const std::vector<double> a = {1, 2, 2, 3, 5}, b = {2, 1, 4, 4, 3};
  EXPECT_NEAR(spearman(a, b), 15.0 / 38, 1e-12);
}

TEST(RankCorrelation, IsUndefinedWithoutTwoValues) {
  EXPECT_TRUE(std::isnan(spearman(std::vector<double>{1, 1, 1}, std::vector<double>{1, 2, 3})));
  EXPECT_TRUE(std::isnan(spearman({}, {})));
}

TEST(RankCorrelation, ComparesTheMeasuresOfEachChoice) {
  const MixerSpec none = {MixerKind::none}, window = {MixerKind::window, 64, 4};
  Analysis analysis;
  analysis.choices = {none, window};
  for (int l = 0; l < 4; ++l) {
    LayerScores& layer = analysis.layers[l];
    layer.cosine = Measured{static_cast<double>(l), 0, {}};
    layer.choices[none] = {{"kl", {l * 2.0, 0, {}}}, {"nll", {-l * 1.0, 0, {}}}};
    layer.choices[window] = {{"kl", {1, 0, {}}}};  // no order
  }
  const auto found = rank_correlations(analysis);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].choice, "none");
  EXPECT_EQ(found[0].a + " " + found[0].b, "kl nll");
  EXPECT_DOUBLE_EQ(found[0].spearman, -1);
  EXPECT_EQ(found[1].a + " " + found[1].b, "kl cosine");
  EXPECT_DOUBLE_EQ(found[1].spearman, 1);
}

}  // namespace
}  // namespace layerboost
