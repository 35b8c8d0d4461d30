#include "analyze/gradient_estimate.h"

#include <gtest/gtest.h>

#include "analyze/joint_loss.h"
#include "eval/statistics.h"
#include "mixer/architectures_for_tests.h"

namespace layerboost {
namespace {

class GradientEstimate : public testing::Test {
 protected:
  GradientEstimate() {
    for (std::uint64_t i = 0; i < 3; ++i)
      calibration_.sequences.push_back({random_tokens(60, model_->config.vocab, i), 0, false});
    for (std::uint64_t i = 0; i < 3; ++i)
      calibration_.sequences.push_back(
          {random_tokens(50 + static_cast<int>(i), model_->config.vocab, 10 + i), 40, true});
    calibration_.texts = 3;
  }

  /// What a change of one layer loses.
  JointOutcome measured(int layer, const MixerSpec& choice) {
    JointLoss loss(*model_, mixers_, calibration_);
    auto specs = native_specs(model_->config);
    specs[static_cast<std::size_t>(layer)] = choice;
    return loss.measure(specs);
  }

  static double mean(const std::vector<double>& values) { return estimate(values).mean; }

  const std::unique_ptr<Model> model_ = random_model(Precision::f32);
  MixerSet mixers_{*model_};
  Calibration calibration_ = {};
};

TEST_F(GradientEstimate, IsCloseToWhatChangesLose) {
  const std::vector<MixerSpec> choices = {parse_mixer("window:24+2"), parse_mixer("window:24+2/full:1"),
                                          parse_mixer("window:48")};
  const EstimatedLosses losses = estimate_losses(*model_, mixers_, calibration_, {choices, 200, 1});
  ASSERT_EQ(std::ssize(losses), model_->config.layers);
  for (int layer = 0; layer < model_->config.layers; ++layer) {
    for (const MixerSpec& choice : choices) {
      const double exact = measured(layer, choice).kl,
                   found = mean(losses[static_cast<std::size_t>(layer)].at(choice).kl);
      // Below the first layer there is little in the stream beside what the mixer adds: a change is no small one.
      if (layer > 0) {
        EXPECT_NEAR(found, exact, 0.4 * exact) << layer << to_string(choice);
      }
      EXPECT_GT(found, 0.6 * exact) << layer << to_string(choice);
    }
  }
}

TEST_F(GradientEstimate, OfShortAndLongTexts) {
  const std::vector<MixerSpec> choices = {parse_mixer("window:24+2"), parse_mixer("hybrid:24+2")};
  const EstimateOptions options = {choices, 2, 1};
  const MixerParameters parameters = random_parameters(model_->config);
  const auto losses_of = [&](const Model& model) {
    MixerSet mixers(model, parameters);
    return estimate_losses(model, mixers, calibration_, options);
  };
  const auto expect_equal = [&](const EstimatedLosses& a, const EstimatedLosses& b, std::size_t question) {
    for (std::size_t layer = 0; layer < a.size(); ++layer)
      for (const MixerSpec& choice : choices)
        EXPECT_EQ(a[layer].at(choice).retrieval.at(question), b[layer].at(choice).retrieval.at(question)) << layer;
  };
  const EstimatedLosses mixed = losses_of(*with_long_texts(random_model(Precision::f32), 50));  // one is as long
  expect_equal(mixed, losses_of(*with_long_texts(random_model(Precision::f32), 100)), 0);
  const EstimatedLosses of_long = losses_of(*with_long_texts_alone(random_model(Precision::f32)));
  expect_equal(mixed, of_long, 1);
  expect_equal(mixed, of_long, 2);
}

TEST_F(GradientEstimate, SmallChangesOfLikelihoodsAreOfFirstOrder) {
  const MixerSpec last_alone = parse_mixer("window:48");  // of the answers, the last rows see less
  calibration_.sequences.resize(3);
  for (CalibrationSequence& text : calibration_.sequences) text.tokens.resize(50);
  const EstimatedLosses losses = estimate_losses(*model_, mixers_, calibration_, {{last_alone}, 20, 1});
  for (int layer = 1; layer < model_->config.layers; ++layer) {
    const double exact = measured(layer, last_alone).nll;
    EXPECT_NEAR(mean(losses[static_cast<std::size_t>(layer)].at(last_alone).nll), exact, 0.3 * std::abs(exact) + 2e-4)
        << layer;
  }
}

class GradientEstimateOfArchitecture : public testing::TestWithParam<std::string> {};

// By head or, where heads don't add up, as mixers run: of two windows, the change of one is that of what it adds. Each
// text's last tokens see a little less. Of what that loses the middle is looked at: of single texts it may be a large
// change in such small models, or drown in rounding.
TEST_P(GradientEstimateOfArchitecture, IsCloseToWhatSmallChangesLose) {
  const auto model = test::load_architecture(GetParam(), Precision::f32);
  MixerSet mixers(*model);
  const auto native = native_specs(model->config);
  for (const std::size_t layer : {1U, 3U}) {
    const MixerSpec choice = parse_mixer(native[layer].kind == MixerKind::softmax ? "window:19" : "window:11");
    auto changed = native;
    changed[layer] = choice;
    Calibration calibration;
    calibration.texts = 16;
    for (std::uint64_t i = 0; i < 16; ++i)
      calibration.sequences.push_back({random_tokens(choice.window + 3, model->config.vocab, i), 0, false});
    const auto found = estimate_losses(*model, mixers, calibration, {{choice}, 100, 1, false})[layer].at(choice).kl;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < found.size(); ++i) {
      Calibration text;
      text.sequences = {calibration.sequences[i]};
      text.texts = 1;
      JointLoss loss(*model, mixers, text);
      const double exact = loss.measure(changed).kl - loss.measure(native).kl;
      if (exact > 1e-6 && exact < 1e-3) ratios.push_back(found[i] / exact);
    }
    ASSERT_GE(ratios.size(), 5U) << layer;
    std::ranges::sort(ratios);
    EXPECT_NEAR(ratios[ratios.size() / 2], 1, 0.2) << layer;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, GradientEstimateOfArchitecture, testing::ValuesIn(test::architecture_names()),
                         test::architecture_in_letters);

TEST_F(GradientEstimate, HeadsAddUp) {
  const MixerSpec all = parse_mixer("window:24+2"), first = parse_mixer("window:24+2/full:1"),
                  second = parse_mixer("window:24+2/full:0");
  const EstimatedLosses losses = estimate_losses(*model_, mixers_, calibration_, {{first, second, all}, 2, 1});
  for (const auto& of_layer : losses) {
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_NEAR(of_layer.at(first).retrieval[i] + of_layer.at(second).retrieval[i], of_layer.at(all).retrieval[i],
                  1e-9);
    EXPECT_NE(of_layer.at(first).kl, of_layer.at(second).kl);
  }
}

TEST_F(GradientEstimate, OnlyOfLayersThatWouldKeepLess) {
  const auto model = test::load_architecture("gemma2", Precision::f32);  // windows of 12 in layers 0 and 2
  MixerSet mixers(*model);
  const MixerSpec narrow = parse_mixer("window:8"), wide = parse_mixer("window:12+2");
  Calibration calibration;
  calibration.sequences.push_back({random_tokens(40, model->config.vocab), 0, false});
  calibration.texts = 1;
  const EstimatedLosses losses = estimate_losses(*model, mixers, calibration, {{narrow, wide}, 1, 0});
  for (const std::size_t layer : {0U, 1U, 2U, 3U}) {
    EXPECT_TRUE(losses[layer].contains(narrow)) << layer;
    EXPECT_EQ(losses[layer].contains(wide), layer % 2 == 1) << layer;
  }
}

TEST_F(GradientEstimate, NoChangeLosesNothing) {
  const MixerSpec same = parse_mixer("window:60");  // as wide as the texts are long
  for (const auto& of_layer : estimate_losses(*model_, mixers_, calibration_, {{same}, 1, 0}))
    for (const auto* values : {&of_layer.at(same).kl, &of_layer.at(same).nll, &of_layer.at(same).retrieval})
      for (const double value : *values) EXPECT_EQ(value, 0);
}

}  // namespace
}  // namespace layerboost
