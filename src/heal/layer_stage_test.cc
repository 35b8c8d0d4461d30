// A layer learns what it is to add; what is served is what was learnt; a stage of a chain sees the layers before it.
#include "heal/layer_stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error_for_tests.h"
#include "heal/chain.h"
#include "heal/model_for_tests.h"
#include "mixer/architectures_for_tests.h"
#include "model/runner.h"

namespace layerboost {
namespace {

constexpr int taught_layer = 1;
constexpr CoreBatch two_sequences = {2, 70};

class LayerStageTest : public testing::TestWithParam<const char*> {
 protected:
  std::vector<float> random_rows(std::uint64_t seed) const {
    Random random(seed);
    std::vector<float> rows(static_cast<std::size_t>(two_sequences.rows() * model_.config.hidden));
    for (float& x : rows) x = static_cast<float>(random.normal());
    return rows;
  }

  /// What the layer adds to `hidden` as it is served.
  std::vector<float> served(const LearntLayer& learnt, const std::vector<float>& hidden) const {
    MixerSet mixers(model_);
    use_weights(mixers, model_, {{taught_layer, learnt}});
    const Mixer& mixer = mixers.mixer(taught_layer, learnt.mixer);
    CachePools pools;
    std::vector<LayerCache> caches(static_cast<std::size_t>(two_sequences.sequences), LayerCache{&pools, {}});
    std::vector<MixerSpan> spans;
    for (int i = 0; i < two_sequences.sequences; ++i)
      spans.push_back({i * two_sequences.length, two_sequences.length, 0, &caches[static_cast<std::size_t>(i)]});
    Workspace workspace(model_.rope());
    workspace.rope.grow(two_sequences.length);
    std::vector<float> added = hidden;
    mixer.forward({added.data(), {}, spans, static_cast<int>(two_sequences.rows())}, workspace);
    for (std::size_t i = 0; i < added.size(); ++i) added[i] -= hidden[i];
    return added;
  }

  LayerStage stage(std::uint64_t seed = 0) {
    StageOptions options;
    options.lora = {4, 8};
    options.seed = seed;
    return {model_, taught_layer, spec_, options};
  }

  test::HealFolder folder_{"layer-stage-test"};
  const Model& model_ = folder_.model();
  const MixerSpec spec_ = parse_mixer(GetParam());
};

TEST_P(LayerStageTest, LearnsAndIsServedAsItLearnt) {
  const std::vector<float> hidden = random_rows(1), target = random_rows(2);
  LayerStage own = stage();
  const double before = own.distance(hidden.data(), target.data(), two_sequences);
  own.gather(hidden.data(), target.data(), two_sequences);
  own.fit();
  const double fitted = own.distance(hidden.data(), target.data(), two_sequences);
  EXPECT_LT(fitted, before);
  for (int i = 0; i < 30; ++i) {
    own.learn(hidden.data(), target.data(), two_sequences);
    own.update(5e-3);
  }
  const double learnt = own.distance(hidden.data(), target.data(), two_sequences);
  EXPECT_LT(learnt, 0.98 * fitted);
  EXPECT_LT(own.distance(hidden.data(), served(own.learnt(), hidden).data(), two_sequences), 1e-8);
}

TEST_P(LayerStageTest, GoesOnFromItsState) {
  const std::vector<float> hidden = random_rows(1), target = random_rows(2);
  LayerStage first = stage();
  first.learn(hidden.data(), target.data(), two_sequences);
  first.update(5e-3);
  StageOptions options;
  options.lora = {4, 8};
  LayerStage second(model_, taught_layer, spec_, options, first.state());
  EXPECT_EQ(second.distance(hidden.data(), target.data(), two_sequences),
            first.distance(hidden.data(), target.data(), two_sequences));
}

INSTANTIATE_TEST_SUITE_P(Variants, LayerStageTest,
                         testing::Values("dual_state", "dual_state:one+norm", "dual_state:x"));

// Wo is fitted to what it puts out, not to that times the factor of the residual stream.
TEST(LayerStageOfArchitecture, FindsItsOwnWo) {
  const auto model = test::load_architecture("granite", Precision::f32);
  ASSERT_NE(model->config.residual_scale, 1);
  const MixerSpec spec = parse_mixer("dual_state");
  Random random(1);
  std::vector<float> hidden(static_cast<std::size_t>(two_sequences.rows() * model->config.hidden));
  for (float& x : hidden) x = static_cast<float>(random.normal());
  MixerSet mixers(*model);
  CachePools pools;
  std::vector<LayerCache> caches(2, LayerCache{&pools, {}});
  std::vector<MixerSpan> spans;
  for (int i = 0; i < 2; ++i)
    spans.push_back({i * two_sequences.length, two_sequences.length, 0, &caches[static_cast<std::size_t>(i)]});
  Workspace workspace(model->rope());
  workspace.rope.grow(two_sequences.length);
  std::vector<float> target = hidden;
  mixers.mixer(taught_layer, spec)
      .forward({target.data(), {}, spans, static_cast<int>(two_sequences.rows())}, workspace);
  for (std::size_t i = 0; i < target.size(); ++i) target[i] -= hidden[i];
  LayerStage stage(*model, taught_layer, spec, {});
  EXPECT_LT(stage.distance(hidden.data(), target.data(), two_sequences), 1e-12);
  stage.gather(hidden.data(), target.data(), two_sequences);
  stage.fit();
  EXPECT_LT(stage.distance(hidden.data(), target.data(), two_sequences), 1e-6);  // a ridge regression
}

TEST(LayerStageOfArchitecture, RefusesNormsOfWhatIsPutOut) {
  const auto model = test::load_architecture("olmo2", Precision::f32);
  EXPECT_THAT(test::error_of([&] { LayerStage(*model, taught_layer, parse_mixer("dual_state"), {}); }),
              testing::HasSubstr("a norm follows what their attention puts out"));
}

class ChainTest : public testing::Test {
 protected:
  static ChainOptions options_for_tests() {
    ChainOptions options;
    options.tokens = options.alone_tokens = 1024;
    options.length = 32;
    options.batch = 256;
    options.fit_tokens = 512;
    options.stage.lora = {4, 8};
    return options;
  }

  test::HealFolder folder_{"chain-test"};
  const Model& model_ = folder_.model();
  const ChainOptions options_ = options_for_tests();
  const std::unique_ptr<HealText> text_ =
      open_heal_text(model_, {{folder_.corpus("text.jsonl", 60, 80)}, "", 32, 2, 64, 0});
  Chain chain_{model_, *text_, options_};
  const MixerSpec spec_ = parse_mixer("dual_state");
};

TEST_F(ChainTest, AStageSeesTheLayersBeforeIt) {
  double last = 0;
  const Chain::Watcher report{.report = [&](std::int64_t /*tokens*/, double distance) { last = distance; }};
  const auto alone = chain_.train_alone({0, 2}, spec_, report);
  EXPECT_EQ(alone.size(), 2U);
  EXPECT_TRUE(std::isfinite(last));

  MixerSet unchanged(model_), changed(model_);
  const std::vector<MixerSpec> native = native_specs(model_.config);
  std::vector<MixerSpec> below = native;
  below[0] = spec_;
  use_weights(changed, model_, {{0, chain_.train(0, spec_, alone.at(0), unchanged.list(native), report)}});
  const LearntLayer in_the_chain = chain_.train(2, spec_, alone.at(2), changed.list(below), report);
  const LearntLayer by_itself = chain_.train(2, spec_, alone.at(2), unchanged.list(native), report);
  EXPECT_NE(in_the_chain.o, by_itself.o);
  EXPECT_EQ(by_itself.o, chain_.train(2, spec_, alone.at(2), unchanged.list(native), report).o) << "the same again";
}

TEST_F(ChainTest, GoesOnWhereItWasStopped) {
  const Chain::Watcher nobody{.report = [](std::int64_t /*tokens*/, double /*distance*/) {}};
  const Chain::States whole = chain_.train_alone({0, 2}, spec_, nobody);
  MixerSet unchanged(model_);
  const MixerList& below = unchanged.list(native_specs(model_.config));
  const LearntLayer rung = chain_.train(2, spec_, whole.at(2), below, nobody);
  for (const std::int64_t steps : {1, 3, 4}) {
    const auto stopped = [&](const auto& train) {
      Chain::Watcher watcher;
      watcher.report = [&](std::int64_t tokens, double /*distance*/) {
        if (tokens == steps * options_.batch) throw Interrupted("stopped");
      };
      Chain::Watcher rest = nobody;
      watcher.save = [&](std::int64_t done, const Chain::Stages& stages) {
        rest.steps = done;
        for (const auto& [layer, stage] : stages) rest.states[layer] = stage->state();
      };
      EXPECT_THROW(train(watcher), Interrupted);
      EXPECT_EQ(rest.steps, steps);
      return rest;
    };
    const auto all = [&](const Chain::Watcher& watcher) { return chain_.train_alone({0, 2}, spec_, watcher); };
    const auto one = [&](const Chain::Watcher& watcher) { return chain_.train(2, spec_, whole.at(2), below, watcher); };
    const Chain::States resumed = all(stopped(all));
    for (const int layer : {0, 2}) {
      EXPECT_EQ(resumed.at(layer).x, whole.at(layer).x) << steps;
      EXPECT_EQ(resumed.at(layer).o, whole.at(layer).o) << steps;
    }
    const LearntLayer again = one(stopped(one));
    EXPECT_EQ(again.o, rung.o) << steps;
    EXPECT_EQ(again.q, rung.q) << steps;
    EXPECT_EQ(again.parameters, rung.parameters) << steps;
  }
}

}  // namespace
}  // namespace layerboost
