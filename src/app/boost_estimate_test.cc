#include "app/boost_estimate.h"

#include <gtest/gtest.h>

#include "analyze/gradient_estimate.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

// Where a norm follows what heads put out, what windows lose isn't a sum over heads: mixers run for each choice.
TEST(BoostEstimate, GradientsTakeLongerWhereHeadsDoNotAddUp) {
  const auto model = random_model(Precision::f32);
  MixerSet mixers(*model);
  const MixerList& unchanged = mixers.list(native_specs(model->config));
  BoostOptions options;
  options.analyze.text = "text";
  options.analyze.to = {"none", "window"};
  options.analyze.windows = {4, 8, 16};
  options.analyze.by = {"kl"};
  options.analyze.by_gradients = true;
  options.analyze.tokens = 1000;
  options.analyze.length = 100;
  ModelTimes times;
  times.row = 0.5;
  times.step.mixers["softmax"] = {};
  const auto seconds = [&] { return estimate_boost(options, {}, *model, unchanged, times).front().seconds; };
  const double before = seconds();
  model->config.norms_after = true;
  EXPECT_NEAR(seconds() - before, 3 * 0.5 * 1000 * times.row, 1e-6);
}

TEST(BoostEstimate, GradientsTakeMemory) {
  const auto model = random_model(Precision::f32);
  MixerSet mixers(*model);
  const MixerList& unchanged = mixers.list(native_specs(model->config));
  BoostOptions options;
  options.analyze.text = "text";
  ModelTimes times;
  times.step.mixers["softmax"] = {};
  const auto bytes = [&] { return estimate_boost(options, {}, *model, unchanged, times).front().bytes; };
  const std::size_t measured = bytes();
  options.analyze.by_gradients = true;
  EXPECT_EQ(bytes() - measured, estimate_bytes(*model, options.analyze.length));
}

}  // namespace
}  // namespace layerboost
