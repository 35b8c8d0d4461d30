#include "analyze/sweep.h"

#include <cmath>

#include "analyze/calibration_runner.h"
#include "analyze/joint_loss.h"
#include "analyze/layer_probe.h"
#include "analyze/map_regression.h"
#include "base/interrupt.h"
#include "base/ranks_for_tests.h"
#include "base/temporary_path_for_tests.h"
#include "eval/text_data.h"
#include "mixer/architectures_for_tests.h"
#include "mixer/model_for_tests.h"

namespace layerboost {
namespace {

Calibration random_calibration(int vocab) {
  Calibration calibration;
  for (std::uint64_t i = 0; i < 3; ++i) calibration.sequences.push_back({random_tokens(60, vocab, i), 0, false});
  for (std::uint64_t i = 0; i < 2; ++i) calibration.sequences.push_back({random_tokens(50, vocab, 10 + i), 44, true});
  calibration.source = "random";
  calibration.hash = "sha256:0";
  calibration.texts = 3;
  calibration.length = 60;
  calibration.retrieval_items = 2;
  calibration.retrieval_length = 45;
  return calibration;
}

class SweepTest : public testing::Test {
 protected:
  ~SweepTest() override { fs::remove_all(directory_); }

  Analysis sweep(const std::string& name) {
    MixerSet mixers(*model_);
    return run_sweep(*model_, mixers, calibration_, options_, directory_ / name, [] {
      return Json{{"version", "test"}};
    });
  }

  std::unique_ptr<Model> model_ = random_model(Precision::f32);
  Calibration calibration_ = random_calibration(model_->config.vocab);
  SweepOptions options_{{parse_mixer("none"), parse_mixer("window:8+2"), parse_mixer("map")},
                        {"kl", "nll", "retrieval", "cosine", "entropy"},
                        {}};
  const fs::path directory_ = test::temporary_path("sweep");
};

TEST_F(SweepTest, RestartingFromTheLayerEqualsRunningAll) {
  const Analysis analysis = sweep("a.json");
  ASSERT_TRUE(analysis.complete());
  MixerSet mixers(*model_);
  const auto native = native_specs(model_->config);
  const auto nll = [&](const std::vector<MixerSpec>& specs) {
    double sum = 0;
    for (int i = 0; i < 3; ++i) {
      const auto log_probs = token_log_probs(*model_, mixers.list(specs),
                                             calibration_.sequences[static_cast<std::size_t>(i)].tokens, 1000);
      double total = 0;
      for (const double value : log_probs) total -= value;
      sum += total / 59;
    }
    return sum / 3;
  };
  const double base = nll(native);
  EXPECT_NEAR(analysis.base.at("nll").mean, base, 1e-5);
  for (int layer = 0; layer < 4; ++layer)
    for (const char* choice : {"none", "window:8+2"}) {
      auto specs = native;
      specs[static_cast<std::size_t>(layer)] = parse_mixer(choice);
      EXPECT_NEAR(analysis.layers.at(layer).choices.at(parse_mixer(choice)).at("nll").mean, nll(specs) - base, 2e-5)
          << layer << choice;
    }
}

TEST_F(SweepTest, ScoresMakeSense) {
  const Analysis analysis = sweep("a.json");
  for (const auto& [layer, scores] : analysis.layers) {
    const double none = scores.choices.at(parse_mixer("none")).at("kl").mean;
    const double map = scores.choices.at(parse_mixer("map")).at("kl").mean;
    EXPECT_GT(none, 0);
    EXPECT_LT(map, none) << "a fitted map loses less than nothing at all";
    EXPECT_GT(scores.cosine->mean, 0);
    EXPECT_LT(scores.cosine->mean, 2);
    EXPECT_GT(scores.entropy->mean, 0);
    EXPECT_LE(scores.entropy->mean, std::log(60.0));
  }
  EXPECT_FALSE(analysis.rank_correlation.empty());
  EXPECT_TRUE(fs::exists(directory_ / "a.maps.safetensors"));
}

TEST_F(SweepTest, ChangesOnlyWhatWouldKeepLess) {
  model_ = test::load_architecture("gemma2", Precision::f32);  // windows of 12 in layers 0 and 2
  calibration_ = random_calibration(model_->config.vocab);
  options_.choices = {parse_mixer("window:8"), parse_mixer("window:12+2")};
  for (const bool by_gradients : {false, true}) {
    options_.by_gradients = by_gradients;
    const Analysis analysis = sweep(by_gradients ? "estimated.json" : "measured.json");
    EXPECT_TRUE(analysis.complete());
    for (const auto& [layer, scores] : analysis.layers) {
      EXPECT_TRUE(scores.choices.contains(options_.choices[0])) << layer;
      EXPECT_EQ(scores.choices.contains(options_.choices[1]), layer % 2 == 1) << layer;
    }
  }
}

TEST_F(SweepTest, EntropyIsOfWhatTheModelsOwnWindowsSee) {
  model_ = test::load_architecture("gemma2", Precision::f32);  // windows of 12 in layers 0 and 2
  calibration_ = random_calibration(model_->config.vocab);
  options_.choices = {parse_mixer("none")};
  // Its soft cap makes attention nearly even.
  for (const auto& [layer, scores] : sweep("a.json").layers) {
    const int seen = layer % 2 == 0 ? 12 : 60;
    EXPECT_LE(scores.entropy->mean, std::log(seen)) << layer;
    EXPECT_GT(scores.entropy->mean, std::log(seen) - 0.3) << layer;
  }
}

TEST_F(SweepTest, ReadsLongTextsWithTheirRotations) {
  model_ = with_long_texts(random_model(Precision::f32), 49);
  const Analysis analysis = sweep("long.json");
  model_ = with_long_texts_alone(random_model(Precision::f32));
  const Analysis right = sweep("right.json");
  for (int layer = 0; layer < 4; ++layer) {
    EXPECT_EQ(analysis.layers.at(layer).entropy->mean, right.layers.at(layer).entropy->mean);
    for (const MixerSpec& choice : options_.choices)
      EXPECT_EQ(analysis.layers.at(layer).choices.at(choice).at("kl").mean,
                right.layers.at(layer).choices.at(choice).at("kl").mean);
  }
}

TEST_F(SweepTest, GoesOnWhereItStopped) {
  sweep("whole.json");
  const Json whole = read_json(directory_ / "whole.json");
  Json part = whole;
  part["layers"].erase(2);  // as if stopped
  part["layers"].erase(2);
  part.erase("rank_correlation");
  write_json(directory_ / "part.json", part);
  fs::copy_file(directory_ / "whole.maps.safetensors", directory_ / "part.maps.safetensors");
  part["maps"]["file"] = "part.maps.safetensors";
  write_json(directory_ / "part.json", part);
  sweep("part.json");
  const Json resumed = read_json(directory_ / "part.json");
  EXPECT_EQ(resumed["layers"], whole["layers"]);
  EXPECT_EQ(resumed["rank_correlation"], whole["rank_correlation"]);
}

TEST_F(SweepTest, ByGradientsWindowsAreEstimatedAndTheRestIsMeasured) {
  const MixerSpec none = parse_mixer("none"), window = parse_mixer("window:8+2");
  options_.choices = {none, window, parse_mixer("map")};
  const Analysis exact = sweep("exact.json");
  options_.by_gradients = true;
  const Analysis estimated = sweep("estimated.json");
  for (int layer = 0; layer < 4; ++layer) {
    for (const MixerSpec& choice : options_.choices) {
      for (const char* const measure : {"kl", "nll", "retrieval"}) {
        const auto value = [&](const Analysis& analysis) {
          return analysis.layers.at(layer).choices.at(choice).at(measure).mean;
        };
        EXPECT_EQ(value(estimated) == value(exact), choice != window) << layer << to_string(choice) << measure;
      }
    }
  }
}

TEST_F(SweepTest, ByGradientsWithoutMeasuresToEstimate) {
  options_.choices = {parse_mixer("none"), parse_mixer("window:8+2")};
  options_.measures = {"cosine"};
  options_.by_gradients = true;
  EXPECT_TRUE(sweep("a.json").complete());
}

/// Also run as two processes under mpirun.
TEST_F(SweepTest, RanksShareTheLayers) {
  const Analysis alone = sweep("alone.json");
  options_.ranks = &Ranks::world();
  const Analysis shared = sweep("shared.json");
  const int own = (4 + options_.ranks->size() - 1 - options_.ranks->rank()) / options_.ranks->size();
  EXPECT_EQ(static_cast<int>(shared.layers.size()), options_.ranks->first() ? 4 : own);
  EXPECT_EQ(fs::exists(directory_ / "shared.json"), options_.ranks->first());
  const MixerSpec map = parse_mixer("map");
  for (const auto& [layer, scores] : shared.layers)
    EXPECT_NEAR(scores.choices.at(map).at("kl").mean, alone.layers.at(layer).choices.at(map).at("kl").mean,
                1e-6);  // files hold 7 digits
  if (options_.ranks->first()) {
    EXPECT_EQ(shared.rank_correlation.size(), alone.rank_correlation.size());
    EXPECT_TRUE(read_analysis(directory_ / "shared.json").complete());
    EXPECT_EQ(read_file(directory_ / "shared.maps.safetensors"), read_file(directory_ / "alone.maps.safetensors"));
  }
}

TEST_F(SweepTest, AnotherSweepsFileIsRefused) {
  sweep("a.json");
  MixerSet mixers(*model_);
  SweepOptions other = options_;
  other.measures = {"kl"};
  EXPECT_THROW(run_sweep(*model_, mixers, calibration_, other, directory_ / "a.json", [] { return Json::object(); }),
               Error);
}

TEST_F(SweepTest, JointLossOfOneChangeIsItsScore) {
  const Analysis analysis = sweep("a.json");
  MixerSet mixers(*model_);
  JointLoss loss(*model_, mixers, calibration_);
  auto specs = native_specs(model_->config);
  EXPECT_NEAR(loss.measure(specs).kl, 0, 1e-4);  // half floats hold 11 bits
  specs[1] = parse_mixer("none");
  const JointOutcome outcome = loss.measure(specs);
  const Scores& scores = analysis.layers.at(1).choices.at(parse_mixer("none"));
  EXPECT_NEAR(outcome.kl, scores.at("kl").mean, 1e-6);
  EXPECT_NEAR(outcome.nll, scores.at("nll").mean, 1e-6);
  EXPECT_NEAR(outcome.retrieval, scores.at("retrieval").mean, 1e-6);
}

TEST(MapRegression, FindsALinearMap) {
  constexpr int D = 12, rows = 500;
  Random random(3);
  std::vector<float> weight(D * D), bias(D), x(rows * D), y(rows * D);
  for (float& value : weight) value = static_cast<float>(random.normal());
  for (float& value : bias) value = static_cast<float>(random.normal());
  for (float& value : x) value = static_cast<float>(random.normal());
  for (int r = 0; r < rows; ++r)
    for (int i = 0; i < D; ++i) {
      float sum = bias[static_cast<std::size_t>(i)];
      for (int j = 0; j < D; ++j)
        sum += weight[static_cast<std::size_t>(i * D + j)] * x[static_cast<std::size_t>(r * D + j)];
      y[static_cast<std::size_t>(r * D + i)] = sum;
    }
  MapRegression regression(D);
  regression.add(x.data(), y.data(), 300);
  regression.add(x.data() + 300 * D, y.data() + 300 * D, 200);
  const std::vector<float> map = regression.solve(1e-8);
  for (std::size_t i = 0; i < weight.size(); ++i) EXPECT_NEAR(map[i], weight[i], 1e-4);
  for (std::size_t i = 0; i < bias.size(); ++i) EXPECT_NEAR(map[weight.size() + i], bias[i], 1e-4);
}

TEST(CosineImportance, ByHand) {
  const float before[] = {1, 0, 0, 2}, after[] = {1, 1, 0, -2};
  EXPECT_NEAR(cosine_importance(before, after, 2, 2), ((1 - std::sqrt(0.5)) + 2) / 2, 1e-6);
}

/// The mean NLL with one layer's attention removed, against an independent implementation (a few layers: the rest is
/// the same code).
TEST(Removal, DefaultModel) {
  const fs::path file = shared_path() / "reference/removal.smollm2.json";
  LB_SKIP_WITHOUT(file);
  LB_NEEDS_DEFAULT_MODEL();
  const Json reference = read_json(file);
  const auto model = load_model(default_model_path(), Precision::f32);
  const TextData data = read_text(shared_path() / "data/corpus/valid.jsonl");
  Calibration calibration;
  const auto tokens = first_tokens(model->text(), data.text, 2048);
  for (int i = 0; i < 2; ++i)
    calibration.sequences.push_back({{tokens.begin() + i * 1024, tokens.begin() + (i + 1) * 1024}, 0, false});
  calibration.texts = 2;
  calibration.length = 1024;
  MixerSet mixers(*model);
  JointLoss loss(*model, mixers, calibration);
  for (const int layer : {0, 7, 18}) {
    auto specs = native_specs(model->config);
    specs[static_cast<std::size_t>(layer)] = parse_mixer("none");
    const double expected =
        reference["removed_nll"][std::to_string(layer)].get<double>() - reference["base_nll"].get<double>();
    EXPECT_NEAR(loss.measure(specs).nll, expected, 1e-3) << layer;
  }
}

}  // namespace
}  // namespace layerboost
