#include "app/boost_estimate.h"

#include <gtest/gtest.h>

#include <memory>

#include "analyze/gradient_estimate.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

class BoostEstimateOfAnalysis : public testing::Test {
 protected:
  BoostEstimateOfAnalysis() {
    options_.analyze.text = "text";
    times_.step.mixers["softmax"] = {};
  }

  StepEstimate analysis() {
    return estimate_boost(options_, {}, *model_, mixers_.list(native_specs(model_->config)), times_).front();
  }

  const std::unique_ptr<Model> model_ = random_model(Precision::f32);
  MixerSet mixers_{*model_};
  BoostOptions options_;
  ModelTimes times_;
};

// Where a norm follows what heads put out, what windows lose isn't a sum over heads: mixers run for each choice.
TEST_F(BoostEstimateOfAnalysis, GradientsTakeLongerWhereHeadsDoNotAddUp) {
  options_.analyze.to = {"none", "window"};
  options_.analyze.windows = {4, 8, 16};
  options_.analyze.by = {"kl"};
  options_.analyze.by_gradients = true;
  options_.analyze.tokens = 1000;
  options_.analyze.length = 100;
  times_.row = 0.5;
  const double before = analysis().seconds;
  model_->config.norms_after = true;
  EXPECT_NEAR(analysis().seconds - before, 3 * 0.5 * 1000 * times_.row, 1e-6);
}

TEST_F(BoostEstimateOfAnalysis, GradientsTakeMemory) {
  const std::size_t measured = analysis().bytes;
  options_.analyze.by_gradients = true;
  EXPECT_EQ(analysis().bytes - measured, estimate_bytes(*model_, options_.analyze.length));
}

}  // namespace
}  // namespace layerboost
