#include "plan/ladder_search.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/interrupt.h"
#include "base/random.h"

namespace layerboost {
namespace {

constexpr MixerSpec wide = {MixerKind::window, 512, 4}, narrow = {MixerKind::window, 128, 4};

/// Changes lose more together than alone, neighbours most.
class GivingModel {
 public:
  explicit GivingModel(int layers, std::uint64_t seed) {
    Random random(seed);
    for (int l = 0; l < layers; ++l) alone_.push_back(0.01 * std::exp(1.5 * random.normal()));
  }

  [[nodiscard]] double alone(int layer, const MixerSpec& mixer) const {
    const double share = mixer.kind == MixerKind::none ? 5 : mixer == full_attention ? 0 : 128.0 / mixer.window;
    return share * alone_[static_cast<std::size_t>(layer)];
  }

  JointLossValue measure(const std::vector<MixerSpec>& specs) {
    ++calls;
    double sum = 0, before = 0, all = 0;
    for (std::size_t l = 0; l < specs.size(); ++l) {
      const double here = alone(static_cast<int>(l), specs[l]);
      sum += here + std::sqrt(here * before);
      before = here;
      all += here;
    }
    return {sum, all * all};
  }

  std::vector<LadderStep> search(const LadderSearchOptions& options, bool told = true) {
    const std::vector<MixerSpec> level_0(alone_.size(), full_attention);
    return search_ladder(
        level_0, options, [&](int l, const MixerSpec& mixer) { return told ? alone(l, mixer) : 0; },
        [](const MixerSpec& mixer) { return mixer == full_attention ? 2048 : mixer.window + mixer.sinks; },
        [&](const auto& specs) { return measure(specs); });
  }

  int calls = 0;

 private:
  std::vector<double> alone_;
};

LadderSearchOptions down_to(std::vector<MixerSpec> to, int rungs) {
  LadderSearchOptions options;
  options.to = std::move(to);
  options.rungs = rungs;
  return options;
}

/// The loss of the top of a ladder of one mixer for which every layer is measured for each rung.
double thorough(GivingModel& model, int layers, const MixerSpec& to, int rungs) {
  std::vector<MixerSpec> specs(static_cast<std::size_t>(layers), full_attention);
  double loss = 0;
  for (int rung = 0; rung < rungs; ++rung) {
    std::vector<MixerSpec> best;
    for (std::size_t l = 0; l < specs.size(); ++l) {
      if (specs[l] == to) continue;
      std::vector<MixerSpec> changed = specs;
      changed[l] = to;
      const double changed_loss = model.measure(changed).total(1);
      if (!best.empty() && changed_loss >= loss) continue;
      loss = changed_loss;
      best = changed;
    }
    specs = best;
  }
  return loss;
}

TEST(LadderSearch, IsAsGoodAsTryingEverythingForAFractionOfTheWork) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    GivingModel model(30, seed);
    const LadderSearchOptions options = down_to({narrow}, 22);
    const double least = thorough(model, 30, narrow, 22);
    EXPECT_GT(model.calls, 400);
    model.calls = 0;
    const auto steps = model.search(options);
    EXPECT_LE(model.calls, 100);
    ASSERT_EQ(steps.size(), 22U);
    EXPECT_LE(steps.back().loss, 1.05 * least);
  }
}

TEST(LadderSearch, EachRungStandsOnThoseBelow) {
  GivingModel model(12, 4);
  const auto steps = model.search(down_to({wide, narrow, no_mixer}, 20));
  std::vector<MixerSpec> specs(12, full_attention);
  for (const LadderStep& step : steps) {
    MixerSpec& now = specs[static_cast<std::size_t>(step.rung.layer)];
    EXPECT_TRUE(may_follow(now, step.rung.mixer)) << to_string(step.rung);
    now = step.rung.mixer;
    EXPECT_EQ(model.measure(specs).total(1), step.loss);
  }
  const auto again = model.search(down_to({wide, narrow, no_mixer}, 20));
  for (std::size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(again[i].rung, steps[i].rung);
}

TEST(LadderSearch, WrongExpectationsAreCorrectedByMeasuring) {
  GivingModel model(10, 5);
  LadderSearchOptions options = down_to({narrow}, 1);
  options.tries = 10;
  const auto steps = model.search(options, false);  // everything is expected to cost nothing
  EXPECT_EQ(model.calls, 11);
  for (int l = 0; l < 10; ++l) {
    std::vector<MixerSpec> one(10, full_attention);
    one[static_cast<std::size_t>(l)] = narrow;
    EXPECT_GE(model.measure(one).total(1), steps[0].loss);
  }
  options.tries = 1;
  model.calls = 0;
  EXPECT_EQ(model.search(options, false)[0].rung.layer, 0);
  EXPECT_EQ(model.calls, 2);
}

TEST(LadderSearch, LeavesMixersOutWhereThatIsCheapButNotSoManyThatRungsAreMissing) {
  GivingModel model(4, 6);
  const auto most = down_to({wide, narrow}, 8);
  EXPECT_EQ(most_rungs(std::vector<MixerSpec>(4, full_attention), most), 8);
  EXPECT_EQ(model.search(most).size(), 8U);  // none can be left out
  // A single layer whose windows cost the same: the narrow one at once.
  const auto steps = search_ladder(
      {full_attention}, down_to({wide, narrow}, 1), [](int, const MixerSpec&) { return 0.1; },
      [](const MixerSpec& mixer) { return mixer == full_attention ? 2048 : mixer.window; },
      [](const std::vector<MixerSpec>& specs) {
        return JointLossValue{specs[0] == full_attention ? 0 : 0.1, 0};
      });
  EXPECT_EQ(steps[0].rung.mixer, narrow);
}

TEST(LadderSearch, LeavesAloneWhatIsKeptOrHasLess) {
  LadderSearchOptions options = down_to({wide, narrow}, 1);
  options.keep = {0};
  EXPECT_EQ(most_rungs({full_attention, full_attention, narrow, no_mixer, wide}, options), 3);
  options.keep = {0, 1, 4};
  EXPECT_EQ(most_rungs({full_attention, full_attention, narrow, no_mixer, wide}, options), 0);
}

TEST(LadderSearch, CanBeInterrupted) {
  const auto stop = [](const auto&) -> JointLossValue { throw Interrupted("stopped"); };
  EXPECT_THROW(search_ladder(
                   {full_attention}, down_to({narrow}, 1), [](int, const auto&) { return 0; },
                   [](const auto&) { return 1; }, stop),
               Interrupted);
}

}  // namespace
}  // namespace layerboost
