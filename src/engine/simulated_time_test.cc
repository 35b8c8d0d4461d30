// Scheduling under time and load, without waiting: a clock that is set, and steps that take what is said.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

class SetClock final : public Clock {
 public:
  [[nodiscard]] double seconds() const override { return seconds_; }
  void advance(double seconds) { seconds_ += seconds; }

 private:
  double seconds_ = 0;
};

/// Seconds of each step, of each token of a prompt, and of each token that is sampled in turn; and what each of these
/// takes for each position that its layers look at, in the mean over layers.
struct Speed {
  double step = 1, prompt = 0.01, decode = 0.01;
  double prompt_read = 0, decode_read = 0;

  [[nodiscard]] double seconds_of(const BatchItem& item) const {
    const int count = static_cast<int>(std::ssize(item.tokens));
    const double looked_at = positions(item.sequence->mixers(), item.sequence->length() + (count + 1) / 2);
    return count == 1 ? decode + decode_read * looked_at : count * (prompt + prompt_read * looked_at);
  }

  static double positions(const MixerList& mixers, int length) {
    double sum = 0;
    for (const Mixer* const mixer : mixers) sum += mean_positions(parse_mixer(mixer->name()), 2, length);
    return sum / static_cast<double>(mixers.size());
  }
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
      clock_.advance(speed_.seconds_of(item));
      item.sequence->advance(static_cast<int>(item.tokens.size()));
    }
    return nullptr;
  }
  void logits(const float* /*hidden*/, std::span<const int> rows,
              const std::function<void(const LogitsBlock&)>& consume) override {
    for (const int& row : rows) consume({{&row, 1}, logits_.data(), nullptr, static_cast<int>(logits_.size())});
  }
  void final_states(const float* /*hidden*/, std::span<const int> rows,
                    const std::function<void(int count, const float* states)>& /*consume*/) override {
    EXPECT_TRUE(rows.empty());
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

TEST_F(SimulatedTime, NoLevelIsRaisedForPromptsThatKeepTheirs) {
  EngineOptions options = two_levels();
  options.levels.first_token = 10;
  Engine engine = make_engine(options, 2, {0, 0.001, 0.01, 0.01});
  std::uint64_t seed = 0;
  const auto raised = [&](const std::function<void(GenerationRequest&)>& ask) {
    std::vector<Collected> results(40);
    for (Collected& result : results) {
      GenerationRequest request = request_for_tests(200, 1, seed++);
      ask(request);
      engine.submit(request, result.sink());
    }
    bool above = false;
    while (engine.step()) above = above || engine.stats().level > 0;
    return above;
  };
  EXPECT_FALSE(raised([](GenerationRequest& request) { request.plan = 0; }));
  EXPECT_FALSE(raised([](GenerationRequest& request) { request.prompt_logprobs = 0; }));
  EXPECT_TRUE(raised([](GenerationRequest&) {}));
}

// Texts that are only read have no first token, however long they wait beside one that is written.
TEST_F(SimulatedTime, NoLevelIsRaisedForTextsThatAreOnlyRead) {
  const auto raised = [&](int max_tokens) {
    EngineOptions options = two_levels();
    options.levels.cost = {1, 0.5};
    options.levels.first_token = 10;
    Engine engine = make_engine(options, 2, {0, 0.01, 0.1});
    Collected written;
    engine.submit(request_for_tests(5, 100), written.sink());
    std::vector<Collected> results(40);
    for (std::size_t i = 0; i < results.size(); ++i) {
      GenerationRequest request = request_for_tests(200, max_tokens, i);
      request.plan = 0;
      engine.submit(request, results[i].sink());
    }
    bool above = false;
    while (engine.step()) above = above || engine.stats().level > 0;
    return above;
  };
  EXPECT_TRUE(raised(2));
  EXPECT_FALSE(raised(0));
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

// ---- the arrivals and lengths of a real service

struct TraceRequest {
  double at = 0;
  int prompt = 0, generate = 0;
};

/// So many requests a second, for a hundred and fifty seconds; their lengths are drawn between the quantiles of a real
/// trace (Azure's of 2023, conversations).
std::vector<TraceRequest> trace_for_tests(double rate, std::uint64_t seed) {
  constexpr std::array at = {0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0};
  constexpr std::array prompts = {50, 181, 396, 1020, 1189, 2735, 4083, 4142, 4500};
  constexpr std::array answers = {10, 41, 85, 129, 395, 424, 451, 601, 1000};
  Random random(seed);
  const auto drawn = [&](const auto& lengths) {
    const double u = random.uniform();
    const auto above = static_cast<std::size_t>(std::ranges::upper_bound(at, u) - at.begin());
    const double share = (u - at[above - 1]) / (at[above] - at[above - 1]);
    return static_cast<int>(lengths[above - 1] + share * (lengths[above] - lengths[above - 1]));
  };
  std::vector<TraceRequest> requests;
  for (double now = 0; now < 150; now -= std::log(1 - random.uniform()) / rate) {
    const int prompt = drawn(prompts);
    requests.push_back({now, prompt, drawn(answers)});
  }
  return requests;
}

/// A ladder for four layers, in three of which windows become narrower, on a machine on which prompts take most of the
/// time: at level 0 a third of it for attention, where they are long.
class SimulatedLoad : public testing::Test {
 protected:
  static constexpr Speed machine = {0.012, 0.0006, 0.0003, 0.25e-6, 0.6e-6};
  /// The rate at which level 0 keeps the targets of nine in ten requests.
  static constexpr double capacity = 0.6;
  static constexpr double first_token = 10, between_tokens = 0.3;
  static constexpr int cap = 15, half = 10;  // half: two of the four layers have the narrowest window

  SimulatedLoad() {
    model_->config.max_positions = 8192;
    std::vector<MixerSpec> level = native_specs(model_->config);
    plans_.push_back(&mixers_.list(level));
    for (std::size_t layer = 0; layer < 3; ++layer)
      for (const char* const rung :
           {"window:2048+4", "window:1024+4", "window:512+4", "window:256+4", "window:128+4"}) {
        level[layer] = parse_mixer(rung);
        plans_.push_back(&mixers_.list(level));
      }
  }

  struct Served {
    int requests = 0, met = 0, at_level_0 = 0, raised = 0;  // met: within both targets
    double levels = 0;                                      // the sum of those that they ended with
    [[nodiscard]] double met_share() const { return static_cast<double>(met) / requests; }
    [[nodiscard]] double level_0_share() const { return static_cast<double>(at_level_0) / requests; }
    [[nodiscard]] double mean_level() const { return levels / requests; }
  };

  /// Some courses of the trace, each from an engine at rest. `level`: a fixed one; -1: by load.
  Served serve(double rate, int level = -1, const Speed& speed = machine) {
    Served served;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) serve(trace_for_tests(rate, seed), level, speed, served);
    for (const auto& [key, value] :
         {std::pair("met", served.met_share()), {"level_0", served.level_0_share()}, {"level", served.mean_level()}})
      RecordProperty(fmt::format("{}_at_{}_level_{}", key, rate, level), fmt::format("{:.3f}", value));
    return served;
  }

 private:
  void serve(const std::vector<TraceRequest>& trace, int level, const Speed& speed, Served& served) {
    SetClock clock;
    EngineOptions options;
    options.memory = std::size_t{1} << 40;
    options.prefix_cache = false;
    options.max_sequences = 64;
    options.step_tokens = 512;
    options.max_queue = 1000;
    options.clock = &clock;
    options.levels.mode = level < 0 ? LevelMode::automatic : LevelMode::fixed;
    options.levels.level = std::max(0, level);
    options.levels.cap = cap;
    options.levels.first_token = first_token;
    options.levels.between_tokens = between_tokens;
    for (const MixerList* const plan : plans_)
      options.levels.cost.push_back(stated_step(speed, *plan) / stated_step(speed, *plans_.front()));
    Engine engine(*model_, plans_, options, std::make_unique<TimedRunner>(clock, model_->config.vocab, speed));
    struct Times {
      double first = 0, last = 0;
      int plan = 0;
    };
    std::vector<Times> times(trace.size());
    for (std::size_t sent = 0; sent < trace.size() || engine.stats().running + engine.stats().waiting > 0;) {
      for (; sent < trace.size() && trace[sent].at <= clock.seconds(); ++sent)
        engine.submit(request_for_tests(trace[sent].prompt, trace[sent].generate, sent),
                      [&of = times[sent], &clock](const Output& output) {
                        if (of.first == 0) of.first = clock.seconds();
                        of.last = clock.seconds();
                        of.plan = output.plan;
                      });
      if (!engine.step()) clock.advance(0.01);
      ASSERT_LE(engine.stats().level, cap);
    }
    for (std::size_t i = 0; i < trace.size(); ++i) {
      const bool in_time = times[i].first - trace[i].at <= first_token;
      const double between = (times[i].last - times[i].first) / (trace[i].generate - 1);
      ++served.requests;
      served.met += in_time && between <= between_tokens ? 1 : 0;
      served.at_level_0 += times[i].plan == 0 ? 1 : 0;
      served.levels += times[i].plan;
    }
    for (const LevelCause cause : {LevelCause::first_token, LevelCause::between_tokens})
      served.raised += engine.stats().level_changes[static_cast<std::size_t>(cause)];
  }

  /// A decode step as ladders are measured.
  static double stated_step(const Speed& speed, const MixerList& mixers) {
    return speed.step + 64 * (speed.decode + speed.decode_read * Speed::positions(mixers, 1024));
  }

  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_};
  std::vector<const MixerList*> plans_;
};

TEST_F(SimulatedLoad, BelowCapacityNearlyAllAreOfLevelZero) {
  const Served served = serve(0.7 * capacity);
  EXPECT_GE(served.level_0_share(), 0.95);
  EXPECT_GE(served.met_share(), 0.98);
}

TEST_F(SimulatedLoad, BeyondCapacityTheLevelRisesForThePromptsSake) {
  const Served base = serve(1.3 * capacity, 0), fixed = serve(1.3 * capacity, half), load = serve(1.3 * capacity);
  EXPECT_GE(load.met_share(), fixed.met_share() - 0.02);
  EXPECT_GE(load.met_share(), base.met_share() + 0.2);
  EXPECT_LE(load.mean_level(), half);
  EXPECT_GE(load.level_0_share(), 0.1);
}

TEST_F(SimulatedLoad, WhereLevelsSaveNoTimeTheyAreNotGiven) {
  constexpr Speed all_alike = {0.02, 0.0009, 0.001};  // attention takes nothing
  const Served served = serve(1.3 * capacity, -1, all_alike);
  EXPECT_LT(served.met_share(), 0.9);
  EXPECT_EQ(served.raised, 0);
  EXPECT_EQ(served.level_0_share(), 1);
}

}  // namespace
}  // namespace layerboost
