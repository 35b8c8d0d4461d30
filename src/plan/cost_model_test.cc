#include "plan/cost_model.h"

#include <gtest/gtest.h>

namespace layerboost {
namespace {

std::vector<CostSample> samples_of(const CostTerms& terms) {
  std::vector<CostSample> samples;
  for (const int batch : {1, 16, 64})
    for (const double positions : {256, 1024}) samples.push_back({batch, positions, terms.seconds(batch, positions)});
  return samples;
}

TEST(CostModel, FindsTheTermsAgain) {
  const CostTerms truth = {2e-4, 3e-6, 5e-9};
  const CostTerms found = fit_cost(samples_of(truth));
  EXPECT_NEAR(found.fixed, truth.fixed, 1e-10);
  EXPECT_NEAR(found.row, truth.row, 1e-12);
  EXPECT_NEAR(found.position, truth.position, 1e-15);
}

TEST(CostModel, HasNoNegativeTerms) {
  std::vector<CostSample> samples = samples_of({0, 0, 5e-9});
  for (CostSample& sample : samples)
    if (sample.batch == 1) sample.seconds *= 0.5;  // pulls the fixed part below nothing
  const CostTerms found = fit_cost(samples);
  EXPECT_GE(found.fixed, 0);
  EXPECT_GE(found.row, 0);
  EXPECT_GT(found.position, 1e-9);
}

TEST(CostModel, AddsTheParts) {
  const CostModel model = {.rest = {1, 0.1, 0},
                           .mixers = {{"softmax", {0, 0, 1e-3}}, {"window", {0, 0, 1e-3}}, {"map", {0.5, 0, 0}}}};
  const MixerSpec softmax = {}, window = {MixerKind::window, 64, 4}, map = {MixerKind::map, 0, 0},
                  none = {MixerKind::none, 0, 0};
  EXPECT_DOUBLE_EQ(model.step_seconds({softmax, window, map, none}, 2, 1000), 1 + 0.2 + 2 + 2 * 0.068 + 0.5);
  EXPECT_DOUBLE_EQ(model.mixer_seconds(window, 1, 10), 0.01);
  const CostModel linear = {.mixers = {{"hybrid", {0, 0.5, 1e-3}}, {"gated", {0, 0.25, 1e-3}}}};
  EXPECT_DOUBLE_EQ(linear.mixer_seconds({MixerKind::hybrid, 64, 4}, 2, 1000), 2 * (0.5 + 0.068));
  EXPECT_DOUBLE_EQ(linear.mixer_seconds({MixerKind::gated, 64, 0}, 2, 1000), 2 * (0.25 + 0.064));
}

}  // namespace
}  // namespace layerboost
