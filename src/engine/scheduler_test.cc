// What must hold when memory is short: everybody's sequence is what it would be alone, nobody starves, limits are kept.
#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

class ShortMemory : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};

  /// Requests of mixed lengths, every third of them sampled at random.
  static std::vector<GenerationRequest> mixed_requests(int count) {
    std::vector<GenerationRequest> requests;
    for (int i = 0; i < count; ++i) {
      requests.push_back(request_for_tests(5 + i * 53 % 100, 60 + i * 67 % 300, 40 + static_cast<std::uint64_t>(i)));
      if (i % 3 == 0) requests.back().sampling.temperature = 0.7;
    }
    return requests;
  }
};

TEST_F(ShortMemory, PreemptedSequencesGoOnAsIfNothingHadHappened) {
  for (const std::size_t which : {0U, 1U, 3U}) {
    const auto plan = plans_for_tests()[which];
    const MixerList& list = mixers_.list(plan);
    const std::vector<GenerationRequest> requests = mixed_requests(7);
    std::vector<std::vector<TokenId>> expected;
    for (const GenerationRequest& request : requests) expected.push_back(alone(*model_, list, request).tokens);
    for (const bool prefix_cache : {false, true}) {
      EngineOptions options;
      options.prefix_cache = prefix_cache;
      options.step_tokens = 64;
      options.max_sequences = 6;
      options.memory = sequence_bytes(list, 460);
      Engine engine(*model_, list, options);
      std::vector<Collected> results(requests.size());
      for (std::size_t i = 0; i < requests.size(); ++i) engine.submit(requests[i], results[i].sink());
      while (engine.step()) EXPECT_LE(engine.stats().cache_used(), options.memory);
      for (std::size_t i = 0; i < requests.size(); ++i)
        EXPECT_EQ(results[i].tokens, expected[i]) << to_string(plan[0]) << " " << i;
      if (plan[0].kind == MixerKind::softmax) {
        EXPECT_GT(engine.stats().preemptions, 0U) << to_string(plan[0]);
        EXPECT_GT(engine.stats().recomputed_tokens, 0U);
      }
    }
  }
}

TEST_F(ShortMemory, TheOldestAlwaysGoesOn) {
  const MixerList& list = mixers_.list(native_specs(model_->config));
  EngineOptions options;
  options.step_tokens = 33;
  options.max_sequences = 4;
  options.memory = sequence_bytes(list, 500);  // the first needs all of it in the end
  Engine engine(*model_, list, options);
  Collected first;
  engine.submit(request_for_tests(100, 400), first.sink());
  // New ones come in all the time.
  std::vector<std::unique_ptr<Collected>> others;
  int steps = 0;
  for (; !first.ended(); ++steps) {
    if (steps % 3 == 0 && engine.stats().waiting < 10) {
      others.push_back(std::make_unique<Collected>());
      engine.submit(request_for_tests(90, 30, static_cast<std::uint64_t>(steps)), others.back()->sink());
    }
    ASSERT_TRUE(engine.step());
  }
  EXPECT_LE(steps, 100 / 29 + 1 + 400);  // a token in each step once its prompt is read
  while (engine.step()) {
  }
  for (const auto& other : others) EXPECT_EQ(other->last.finish, FinishReason::length);
}

TEST_F(ShortMemory, FreedMemoryIsUsedAgainWhateverItWasBefore) {
  // Softmax pages, rings and states of different sizes; the mix of lengths changes all the time.
  for (const std::size_t which : {1U, 2U, 3U}) {
    const MixerList& list = mixers_.list(plans_for_tests()[which]);
    EngineOptions options;
    options.step_tokens = 200;
    options.max_sequences = 100;
    options.memory = std::size_t{6} << 20;
    Engine engine(*model_, list, options);
    Random random(which);
    std::vector<std::unique_ptr<Collected>> results;
    std::size_t largest = 0;
    for (int step = 0; step < 150; ++step) {
      const bool long_ones = step / 50 % 2 == 1;
      while (engine.stats().waiting < 5) {
        results.push_back(std::make_unique<Collected>());
        const int prompt =
            long_ones ? 200 + static_cast<int>(random.below(200)) : 1 + static_cast<int>(random.below(8));
        engine.submit(request_for_tests(prompt, 1 + static_cast<int>(random.below(20)), random.next()),
                      results.back()->sink());
      }
      engine.step();
      largest = std::max(largest, engine.stats().cache_reserved);
      ASSERT_LE(engine.stats().cache_used(), options.memory);
    }
    // Slabs of 2 MiB, a few of which may be partly filled for each size of block.
    EXPECT_LE(largest, options.memory + (std::size_t{10} << 20)) << which;
    EXPECT_GT(engine.stats().snapshots, 0);
  }
}

TEST(Scheduler, RunningSequencesComeFirstAndPromptsShareTheRest) {
  const auto model = text_model();
  MixerSet mixers(*model);
  const MixerList& list = mixers.list(native_specs(model->config));
  CacheMemory memory(std::size_t{64} << 20);
  const std::vector plans = {&list};
  Scheduler scheduler(memory, nullptr, plans, 20, 4);
  const auto add = [&](RequestId id, int prompt) {
    scheduler.add(std::make_unique<Job>(
        id, request_for_tests(prompt, 10), [](Output&&) {}, PlanRange{}, model->text(), std::vector<TokenId>{},
        Clock::steady()));
  };
  std::vector<std::pair<RequestId, int>> planned;
  const auto step = [&] {
    planned.clear();
    for (const StepItem& item : scheduler.schedule()) {
      planned.emplace_back(item.job->id, item.count);
      item.job->sequence->advance(item.count);
      if (item.job->pending() == 0) item.job->tokens.push_back(1);
    }
    return planned;
  };
  using Plan = std::vector<std::pair<RequestId, int>>;
  EXPECT_TRUE(step().empty());
  add(1, 5);
  add(2, 30);
  add(3, 6);
  EXPECT_EQ(step(), (Plan{{1, 5}, {2, 15}}));
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 15}, {3, 4}}));
  add(4, 100);
  add(5, 1);
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 1}, {3, 2}, {4, 16}}));
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 1}, {3, 1}, {4, 17}}));  // 5 waits: four at most
  EXPECT_EQ(scheduler.waiting(), 1);
  EXPECT_NE(scheduler.remove(3), nullptr);
  EXPECT_EQ(scheduler.remove(3), nullptr);
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 1}, {4, 18}}));
  EXPECT_NE(scheduler.remove(4), nullptr);
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 1}, {5, 1}}));
}

}  // namespace
}  // namespace layerboost
