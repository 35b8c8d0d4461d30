// Scheduling under time and load, without waiting: a clock that is set, and steps that take what is said.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

class SetClock final : public Clock {
 public:
  [[nodiscard]] double seconds() const override { return seconds_; }
  void advance(double seconds) { seconds_ += seconds; }

 private:
  double seconds_ = 0;
};

/// Seconds of each step, of each token of a prompt, and of each token that is sampled in turn.
struct Speed {
  double step = 1, prompt = 0.01, decode = 0.01;
};

/// Always writes the same token.
class TimedRunner final : public StepRunner {
 public:
  TimedRunner(SetClock& clock, int vocab, Speed speed = {})
      : clock_(clock), speed_(speed), logits_(static_cast<std::size_t>(vocab)) {
    logits_[written] = 1;
  }
  const float* forward(std::span<const BatchItem> items) override {
    clock_.advance(speed_.step);
    for (const BatchItem& item : items) {
      const std::size_t count = item.tokens.size();
      clock_.advance(count == 1 ? speed_.decode : speed_.prompt * static_cast<double>(count));
      item.sequence->advance(static_cast<int>(item.tokens.size()));
    }
    return nullptr;
  }
  void logits(const float* /*hidden*/, std::span<const int> rows,
              const std::function<void(const LogitsBlock&)>& consume) override {
    for (const int& row : rows) consume({{&row, 1}, logits_.data(), nullptr, static_cast<int>(logits_.size())});
  }
  StepTimes& times() override { return times_; }
  [[nodiscard]] std::size_t scratch_bytes() const override { return 0; }

  static constexpr std::size_t written = 65;

 private:
  SetClock& clock_;
  const Speed speed_;
  std::vector<float> logits_;
  StepTimes times_;
};

class SimulatedTime : public testing::Test {
 protected:
  /// Of an engine that follows the load, with two places.
  [[nodiscard]] EngineOptions two_levels() const {
    EngineOptions options;
    options.memory = std::size_t{64} << 20;
    options.max_sequences = 2;
    options.step_tokens = 100;
    options.clock = &clock_;
    options.levels.mode = LevelMode::automatic;
    options.levels.cap = 1;
    return options;
  }

  /// `levels`: so many of the plans.
  Engine make_engine(const EngineOptions& options, std::size_t levels, Speed speed = {}) {
    return Engine(*model_, {plans_.begin(), plans_.begin() + static_cast<std::ptrdiff_t>(levels)}, options,
                  std::make_unique<TimedRunner>(clock_, model_->config.vocab, speed));
  }

  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_};
  const std::vector<const MixerList*> plans_ = {
      &mixers_.list(native_specs(model_->config)),
      &mixers_.list(specs({"window:16+3", "softmax", "softmax", "softmax"})),
      &mixers_.list(specs({"window:16+3", "softmax", "window:16+3", "softmax"}))};
  SetClock clock_;
};

TEST_F(SimulatedTime, WaitsAreWhatTheClockSays) {
  EngineOptions options;
  options.memory = std::size_t{64} << 20;
  options.max_sequences = 2;
  options.step_tokens = 100;
  options.clock = &clock_;
  Engine engine = make_engine(options, 1);
  std::vector<Collected> results(3);
  for (std::uint64_t i = 0; i < 3; ++i) engine.submit(request_for_tests(50, 3, i), results[i].sink());
  while (engine.step()) {
  }
  EXPECT_EQ(results[0].tokens, std::vector<TokenId>(3, TimedRunner::written));
  EXPECT_DOUBLE_EQ(results[0].last.waited, 0);
  EXPECT_DOUBLE_EQ(results[1].last.waited, 0);
  // Both places are taken for a step of 100 tokens and two of 2.
  EXPECT_DOUBLE_EQ(results[2].last.waited, 3 + 1.04);
}

TEST_F(SimulatedTime, AFirstTokenIsNoNextOne) {
  EngineOptions options = two_levels();
  options.levels.between_tokens = 1.5;
  Engine engine = make_engine(options, 2);
  for (std::uint64_t i = 0; i < 4; ++i) {  // one after another: steps of 2 s that read, of 1 s that write
    Collected result;
    engine.submit(request_for_tests(99, 10, i), result.sink());
    while (engine.step()) EXPECT_EQ(engine.stats().level, 0);
    EXPECT_EQ(result.last.plan, 0);
  }
}

TEST_F(SimulatedTime, TokensThatKeepComingLateRaiseTheLevel) {
  EngineOptions options = two_levels();
  options.levels.cost = {1, 0.5};
  options.levels.between_tokens = 0.9;
  Engine engine = make_engine(options, 2);
  Collected few, many;
  engine.submit(request_for_tests(99, 10, 7), few.sink());
  while (engine.step()) EXPECT_EQ(engine.stats().level, 0) << "ten tokens of 1 s";
  engine.submit(request_for_tests(99, 40, 8), many.sink());
  while (engine.step()) {
  }
  EXPECT_GT(engine.stats().level_changes[static_cast<std::size_t>(LevelCause::between_tokens)], 0);
}

TEST_F(SimulatedTime, WhatDecodingTakesIsSeenBesidePrompts) {
  // Three sequences write while prompts are read: 0.3 of 0.494 s are theirs, in each of all steps but the first.
  EngineOptions options = two_levels();
  options.max_sequences = 4;
  options.levels.cost = {1, 0.5};
  options.levels.between_tokens = 0.35;
  Engine engine = make_engine(options, 2, {0, 0.002, 0.1});
  std::vector<Collected> results(13);
  for (std::uint64_t i = 0; i < 3; ++i) engine.submit(request_for_tests(20, 60, i), results[i].sink());
  for (std::uint64_t i = 3; i < results.size(); ++i) engine.submit(request_for_tests(480, 1, i), results[i].sink());
  while (results.back().tokens.empty() && engine.stats().level == 0) ASSERT_TRUE(engine.step());
  EXPECT_EQ(engine.stats().level, 1);
  EXPECT_EQ(engine.stats().level_changes[static_cast<std::size_t>(LevelCause::between_tokens)], 1);
}

TEST_F(SimulatedTime, InBurstsNobodyStarvesAndNothingFlaps) {
  EngineOptions options = two_levels();
  options.max_sequences = 8;
  options.levels.cap = 2;
  options.levels.cost = {1, 0.8, 0.6};
  options.levels.first_token = 20;
  options.levels.between_tokens = 0.5;
  options.memory = sequence_bytes(*plans_[0], 900);
  Engine engine = make_engine(options, 3, {0.05, 0.002, 0.02});
  // Twenty at once each half minute, every third of which keeps level 0, and one now and then.
  std::vector<Collected> results(66);
  std::vector<double> due, changed;
  for (std::size_t i = 0; i < results.size(); ++i)
    due.push_back(i % 22 < 20 ? 30.0 * static_cast<double>(i / 22) : 30.0 * static_cast<double>(i / 22) + 10);
  std::ranges::sort(due);
  std::size_t sent = 0;
  int level = 0;
  while (sent < due.size() || engine.stats().running + engine.stats().waiting > 0 || engine.stats().level > 0) {
    ASSERT_LT(clock_.seconds(), 1000);
    for (; sent < due.size() && due[sent] <= clock_.seconds(); ++sent) {
      GenerationRequest request =
          request_for_tests(30 + 40 * static_cast<int>(sent % 9), 20 + 15 * static_cast<int>(sent % 5), sent);
      if (sent % 3 == 0) request.plan = 0;
      engine.submit(request, results[sent].sink());
    }
    if (!engine.step()) clock_.advance(0.1);
    ASSERT_LE(engine.stats().level, options.levels.cap);
    if (engine.stats().level != std::exchange(level, engine.stats().level)) changed.push_back(clock_.seconds());
    EXPECT_LE(
        std::ranges::count_if(changed, [&](double when) { return clock_.seconds() - when < options.levels.cooldown; }),
        2);
  }
  EXPECT_GT(changed.size(), 2U);
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(results[i].last.finish, FinishReason::length) << i;
    if (i % 3 == 0) {
      EXPECT_EQ(results[i].last.plan, 0) << i;
    }
  }
}

}  // namespace
}  // namespace layerboost
