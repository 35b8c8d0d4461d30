// Sequences whose plan changes while they run, because memory is short.
#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <thread>

#include "base/error_for_tests.h"
#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"
#include "engine/scheduler.h"

namespace layerboost {
namespace {

class Folding : public ::testing::Test {
 protected:
  Folding() {
    for (const auto& level : levels_) plans_.push_back(&mixers_.list(level));
  }

  [[nodiscard]] EngineOptions options(int positions, LevelMode mode = LevelMode::automatic) const {
    EngineOptions options;
    options.memory = sequence_bytes(*plans_[0], positions);
    options.step_tokens = 60;
    options.max_sequences = 16;
    options.levels.mode = mode;
    options.levels.cap = static_cast<int>(plans_.size()) - 1;
    return options;
  }

  static std::vector<GenerationRequest> requests_for_tests(int count) {
    std::vector<GenerationRequest> requests;
    for (int i = 0; i < count; ++i)
      requests.push_back(request_for_tests(20 + i * 53 % 150, 60 + i * 67 % 300, 40 + static_cast<std::uint64_t>(i)));
    return requests;
  }

  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  const std::vector<std::vector<MixerSpec>> levels_ = {specs({"softmax", "softmax", "softmax", "softmax"}),
                                                       specs({"softmax", "window:64+4", "softmax", "softmax"}),
                                                       specs({"softmax", "window:64+4", "softmax", "window:64+4"}),
                                                       specs({"softmax", "window:16+3", "softmax", "window:64+4"}),
                                                       specs({"none", "window:16+3", "hybrid:16+3", "window:64+4"})};
  std::vector<const MixerList*> plans_;
};

TEST_F(Folding, AFoldedSequenceGoesOnAsTheOtherWould) {
  // The first layer's inputs are the same whatever comes after it.
  CacheMemory memory(std::size_t{64} << 20);
  const MixerList &from = mixers_.list(specs({"none", "none", "none", "softmax"})),
                  &to = mixers_.list(specs({"none", "none", "none", "window:64+4"}));
  const std::vector<TokenId> tokens = random_tokens(300, 258);
  Runner runner(*model_);
  const auto read = [&](Sequence& sequence, int count) {
    const BatchItem item{&sequence, std::span(tokens).subspan(static_cast<std::size_t>(sequence.length()),
                                                              static_cast<std::size_t>(count))};
    const float* const rows = runner.forward({&item, 1});
    return std::vector<float>(rows, rows + count * model_->config.hidden);
  };
  Sequence folded = memory.make_sequence(from);
  read(folded, 200);
  Sequence direct = memory.make_sequence(to);
  read(direct, 200);
  const std::size_t before = memory.in_use();
  const std::ptrdiff_t foreseen = CacheMemory::freed_by_fold(folded, to);
  ASSERT_TRUE(memory.fold(folded, to));
  EXPECT_EQ(static_cast<std::ptrdiff_t>(before - memory.in_use()), foreseen);
  EXPECT_GT(foreseen, 0);
  EXPECT_EQ(&folded.mixers(), &to);
  EXPECT_EQ(read(folded, 40), read(direct, 40));
}

TEST_F(Folding, WhatSomebodyElseHoldsIsNotFreed) {
  CacheMemory memory(std::size_t{64} << 20);
  Sequence sequence = memory.make_sequence(*plans_[0]);
  const std::vector<TokenId> tokens = random_tokens(300, 258);
  const BatchItem item{&sequence, tokens};
  Runner(*model_).forward({&item, 1});
  EXPECT_GT(CacheMemory::freed_by_fold(sequence, *plans_[2]), 0);
  const Sequence fork = sequence;
  EXPECT_LT(CacheMemory::freed_by_fold(sequence, *plans_[2]), 0);
}

TEST_F(Folding, AFoldThatCannotBeChangesNothing) {
  CacheMemory memory(std::size_t{64} << 20);
  const MixerList& gated = mixers_.list(specs({"window:64+4", "gated:16", "softmax", "softmax"}));
  Sequence sequence = memory.make_sequence(*plans_[0]);
  const std::vector<TokenId> tokens = random_tokens(300, 258);
  const BatchItem item{&sequence, tokens};
  Runner(*model_).forward({&item, 1});
  const std::size_t before = memory.in_use();
  EXPECT_FALSE(memory.fold(sequence, gated));
  EXPECT_EQ(memory.in_use(), before);
  EXPECT_EQ(&sequence.mixers(), plans_[0]);
}

TEST_F(Folding, RunningSequencesGiveWayBeforeAnyIsPreEmpted) {
  for (const bool prefix_cache : {false, true}) {
    EngineOptions with = options(560), without = options(560, LevelMode::off);
    with.prefix_cache = without.prefix_cache = prefix_cache;
    const std::vector<GenerationRequest> requests = requests_for_tests(12);
    const auto run = [&](const EngineOptions& options) {
      Engine engine(*model_, plans_, options);
      std::vector<Collected> results(requests.size());
      for (std::size_t i = 0; i < requests.size(); ++i) engine.submit(requests[i], results[i].sink());
      while (engine.step()) EXPECT_LE(engine.stats().cache_used(), options.memory);
      for (std::size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(results[i].last.finish, FinishReason::length);
        EXPECT_EQ(std::ssize(results[i].tokens), requests[i].max_tokens);
        EXPECT_LE(results[i].last.first_plan, results[i].last.plan);
        // Whoever kept level 0 to the end wrote what it writes alone.
        if (results[i].last.plan == 0) {
          EXPECT_EQ(results[i].tokens, alone(*model_, *plans_[0], requests[i]).tokens) << i;
        }
      }
      return engine.stats();
    };
    const EngineStats adapted = run(with), fixed = run(without);
    EXPECT_GT(fixed.preemptions, 0U);
    EXPECT_EQ(adapted.preemptions, 0U);
    EXPECT_LT(adapted.steps, fixed.steps);
    EXPECT_EQ(fixed.folds, 0U);
    EXPECT_EQ(std::accumulate(adapted.finished_by_plan.begin(), adapted.finished_by_plan.end(), std::uint64_t{0}),
              requests.size());
    EXPECT_EQ(std::accumulate(adapted.tokens_by_plan.begin(), adapted.tokens_by_plan.end(), std::uint64_t{0}),
              adapted.generated_tokens);
    EXPECT_GT(adapted.level_changes[static_cast<std::size_t>(LevelCause::memory)], 0);
  }
}

TEST_F(Folding, TheLongestOfTheLowestLevelIsFoldedFirst) {
  EngineOptions tight = options(460);
  tight.levels.cap = 2;
  tight.prefix_cache = false;
  tight.levels.mode = LevelMode::per_request;  // so that they begin at level 0 while there is room
  Engine engine(*model_, plans_, tight);
  Collected small, large;
  engine.submit(request_for_tests(40, 150, 1), small.sink());
  engine.submit(request_for_tests(200, 150, 2), large.sink());
  while (engine.stats().folds == 0) ASSERT_TRUE(engine.step());
  engine.step();
  EXPECT_EQ(small.last.plan, 0);
  EXPECT_GT(large.last.plan, 0);
  EXPECT_EQ(large.last.first_plan, 0);
  EXPECT_GT(engine.stats().folded_bytes, 0U);
  while (engine.step()) {
  }
  EXPECT_EQ(engine.stats().preemptions, 0U);
}

TEST_F(Folding, RequestsThatNameAPlanKeepIt) {
  EngineOptions tight = options(460);
  Engine engine(*model_, plans_, tight);
  std::vector<GenerationRequest> requests = requests_for_tests(9);
  std::vector<Collected> results(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (i % 3 != 2) requests[i].plan = static_cast<int>(i % 3);
    engine.submit(requests[i], results[i].sink());
  }
  while (engine.step()) ASSERT_LE(engine.stats().cache_used(), tight.memory);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i].plan) continue;
    EXPECT_EQ(results[i].last.first_plan, *requests[i].plan);
    EXPECT_EQ(results[i].last.plan, *requests[i].plan);
    const MixerList& own = *plans_[static_cast<std::size_t>(*std::exchange(requests[i].plan, {}))];
    EXPECT_EQ(results[i].tokens, alone(*model_, own, requests[i]).tokens) << i;
  }
}

TEST_F(Folding, PromptLogprobsAreOfLevelZero) {
  EngineOptions fixed = options(900);
  Engine engine(*model_, plans_, fixed);
  std::vector<Collected> others(10);
  for (std::size_t i = 0; i < others.size(); ++i) engine.submit(requests_for_tests(10)[i], others[i].sink());
  engine.step();
  GenerationRequest request = request_for_tests(100, 20, 5);
  request.prompt_logprobs = 0;
  Collected result;
  engine.submit(request, result.sink());
  while (engine.step()) {
  }
  EXPECT_EQ(result.last.first_plan, 0);
  EXPECT_EQ(result.last.plan, 0);
  EXPECT_EQ(result.tokens, alone(*model_, *plans_[0], request).tokens);
}

TEST_F(Folding, OneLevelForAll) {
  EngineOptions fixed = options(2000, LevelMode::fixed);
  fixed.levels.level = 3;
  Engine engine(*model_, plans_, fixed);
  const GenerationRequest request = request_for_tests(100, 20, 5);
  Collected result;
  engine.submit(request, result.sink());
  while (engine.step()) {
  }
  EXPECT_EQ(result.last.first_plan, 3);
  EXPECT_EQ(result.tokens, alone(*model_, *plans_[3], request).tokens);
  EXPECT_EQ(engine.stats().level, 3);
}

TEST_F(Folding, PrefixesOfLowerLevelsAreUsed) {
  EngineOptions fixed = options(2000, LevelMode::fixed);
  Engine engine(*model_, plans_, fixed);
  GenerationRequest request = request_for_tests(400, 5, 5);
  request.plan = 0;
  Collected first, pinned, second;
  engine.submit(request, first.sink());
  while (engine.step()) {
  }
  request.plan = 2;  // pinned: it is to be as it would be alone
  engine.submit(request, pinned.sink());
  while (engine.step()) {
  }
  EXPECT_EQ(pinned.last.cached_tokens, 0);
  EXPECT_EQ(engine.stats().folded_prefixes, 0U);

  EngineOptions adapting = options(2000);
  Engine other(*model_, plans_, adapting);
  request.plan = 0;
  Collected base;
  other.submit(request, base.sink());
  while (other.step()) {
  }
  // So many that they are given a level.
  std::vector<Collected> many(12);
  request.plan.reset();
  for (std::size_t i = 0; i < many.size(); ++i) {
    request.prompt.back() = static_cast<TokenId>(i);
    request.max_tokens = 100;
    other.submit(request, many[i].sink());
  }
  while (other.step()) ASSERT_LE(other.stats().cache_used(), adapting.memory);
  EXPECT_GT(other.stats().folded_prefixes, 0U);
  EXPECT_GT(many.back().last.first_plan, 0);
  EXPECT_GT(many.back().last.cached_tokens, 300);
}

TEST_F(Folding, SequencesThatFitAtTheCapAloneAreTaken) {
  EngineOptions tiny = options(0);
  tiny.memory = sequence_bytes(*plans_[4], 500);
  Engine engine(*model_, plans_, tiny);
  EXPECT_EQ(engine.longest_sequence(500), 500);
  EXPECT_LT(engine.longest_sequence(500, 0), 200);
  std::vector<Collected> results(3);
  for (std::uint64_t i = 0; i < 3; ++i)
    engine.submit(request_for_tests(300 - 100 * static_cast<int>(i), 200, i), results[i].sink());
  while (engine.step()) ASSERT_LE(engine.stats().cache_used(), tiny.memory);
  for (const Collected& result : results) EXPECT_EQ(result.tokens.size(), 200U);
}

TEST_F(Folding, NoShortageOfMemoryBreaksIt) {
  // Many sizes, so that folds fall on lengths at which a ring is about to grow while a step is being made.
  for (int positions = 310; positions < 700; positions += 13) {
    for (const LevelMode mode : {LevelMode::automatic, LevelMode::per_request}) {
      const EngineOptions tight = options(positions, mode);
      Engine engine(*model_, plans_, tight);
      Random random(static_cast<std::uint64_t>(positions));
      std::vector<Collected> results(9);
      for (Collected& result : results) {
        GenerationRequest request = request_for_tests(1 + static_cast<int>(random.below(140)),
                                                      1 + static_cast<int>(random.below(160)), random.next());
        if (random.below(4) == 0) request.plan = static_cast<int>(random.below(5));
        engine.submit(request, result.sink());
        engine.step();
      }
      while (engine.step()) ASSERT_LE(engine.stats().cache_used(), tight.memory);
      for (const Collected& result : results) ASSERT_EQ(result.last.finish, FinishReason::length);
    }
  }
}

TEST_F(Folding, ASequenceThatCannotBeFoldedFailsAlone) {
  const std::vector<const MixerList*> plans = {plans_[0],
                                               &mixers_.list(specs({"gated:16", "gated:16", "gated:16", "gated:16"}))};
  EngineOptions tight = options(0);
  tight.memory = sequence_bytes(*plans[0], 300);
  tight.levels.cap = 1;
  tight.prefix_cache = false;
  ASSERT_LT(sequence_bytes(*plans[1], 500), tight.memory);
  Engine engine(*model_, plans, tight);
  Collected result, other;
  engine.submit(request_for_tests(100, 400, 1), result.sink());
  while (engine.step()) ASSERT_LE(engine.stats().cache_used(), tight.memory);
  EXPECT_EQ(result.last.finish, FinishReason::failed);
  EXPECT_THAT(result.last.error, testing::HasSubstr("outgrown"));
  engine.submit(request_for_tests(100, 20, 2), other.sink());
  while (engine.step()) {
  }
  EXPECT_EQ(other.last.finish, FinishReason::length);
}

TEST_F(Folding, SnapshotsDoNotCountAsWantOfRoom) {
  EngineOptions roomy = options(1000, LevelMode::per_request);
  Engine engine(*model_, plans_, roomy);
  for (std::uint64_t i = 0; i < 6; ++i) {  // more than there is memory for
    Collected result;
    engine.submit(request_for_tests(300, 5, i), result.sink());
    while (engine.step()) {
    }
    EXPECT_EQ(result.last.first_plan, 0) << i;
    EXPECT_EQ(result.last.plan, 0) << i;
  }
  EXPECT_GT(engine.stats().snapshots, 1);
}

TEST_F(Folding, WhereEachTakesTheRoomThatIsLeftTheLevelIsTheLastOnes) {
  Engine engine(*model_, plans_, options(560, LevelMode::per_request));
  std::vector<Collected> results(3);
  for (std::size_t i = 0; i < results.size(); ++i) {
    engine.submit(request_for_tests(150, 100, i), results[i].sink());
    while (results[i].tokens.empty()) ASSERT_TRUE(engine.step());
    EXPECT_EQ(engine.stats().level, results[i].last.first_plan) << i;
  }
  EXPECT_GT(engine.stats().level, 0);
  while (engine.step()) {
  }
  EXPECT_EQ(engine.stats().level, 0);
}

TEST_F(Folding, WhereAllHaveLeftTheLevelIsNobodys) {
  Engine engine(*model_, plans_, options(560, LevelMode::per_request));
  std::vector<Collected> results(3);
  std::vector<RequestId> ids;
  for (std::size_t i = 0; i < results.size(); ++i) {
    ids.push_back(engine.submit(request_for_tests(150, 100, i), results[i].sink()));
    while (results[i].tokens.empty()) ASSERT_TRUE(engine.step());
  }
  ASSERT_GT(engine.stats().level, 0);
  for (const RequestId id : ids) engine.cancel(id);
  EXPECT_FALSE(engine.step());
  EXPECT_EQ(engine.stats().level, 0);
}

TEST_F(Folding, WhoNamesALevelGetsNothingThatWasFolded) {
  // A sequence that is folded to the cap while it runs, whose beginnings are kept so.
  EngineOptions tight = options(460);
  tight.memory = sequence_bytes(*plans_[0], 300);
  Engine folding(*model_, plans_, tight);
  GenerationRequest request = request_for_tests(100, 250, 5);
  Collected folded, pinned;
  folding.submit(request, folded.sink());
  while (folding.step()) {
  }
  ASSERT_GT(folded.last.plan, folded.last.first_plan);
  GenerationRequest again = request;
  again.prompt.insert(again.prompt.end(), folded.tokens.begin(), folded.tokens.end());
  again.max_tokens = 5;
  again.plan = folded.last.plan;
  folding.submit(again, pinned.sink());
  while (folding.step()) {
  }
  again.plan.reset();
  EXPECT_EQ(pinned.tokens, alone(*model_, *plans_[static_cast<std::size_t>(folded.last.plan)], again).tokens);
  EXPECT_EQ(pinned.last.cached_tokens, 0);
}

TEST_F(Folding, OnlyPrefixesThatAreSharedCountOnce) {
  const auto demand_of = [&](std::uint64_t seed, std::uint64_t other) {
    CacheMemory memory(std::size_t{64} << 20);
    PrefixCache prefixes;
    Scheduler scheduler(memory, &prefixes, plans_, 600, 4);
    RequestId id = 0;
    for (const std::uint64_t of : {seed, other}) {
      const GenerationRequest request = request_for_tests(300, 50, of);
      Sequence known = memory.make_sequence(*plans_[0]);
      known.advance(256);  // nothing looks at what it has kept
      prefixes.store(std::span(request.prompt).first(256), known);
      scheduler.add(std::make_unique<Job>(
          ++id, request, [](Output&&) {}, PlanRange{}, model_->text(), std::vector<TokenId>{}, Clock::steady()));
    }
    EXPECT_EQ(scheduler.schedule().size(), 2U);
    EXPECT_EQ(scheduler.counts().prefix_hit_tokens, 512U);
    return scheduler.demand(0).front() * static_cast<double>(memory.limit());
  };
  const auto bytes = [&](int positions) { return static_cast<double>(sequence_bytes(*plans_[0], positions)); };
  EXPECT_DOUBLE_EQ(demand_of(1, 2), 2 * bytes(349));
  EXPECT_DOUBLE_EQ(demand_of(1, 1), 2 * bytes(349) - bytes(256));
}

TEST_F(Folding, ACopyOfARingIsNobodyElses) {
  // Two sequences with one beginning: pages that are full stay shared, a window's ring is copied as soon as they go on.
  CacheMemory memory(std::size_t{64} << 20);
  PrefixCache prefixes;
  const std::vector<const MixerList*> plan = {plans_[2]};
  Scheduler scheduler(memory, &prefixes, plan, 600, 4);
  const GenerationRequest request = request_for_tests(300, 50, 1);
  Sequence known = memory.make_sequence(*plan[0]);
  known.advance(256);
  prefixes.store(std::span(request.prompt).first(256), known);
  for (RequestId id = 1; id <= 2; ++id)
    scheduler.add(std::make_unique<Job>(
        id, request, [](Output&&) {}, PlanRange{}, model_->text(), std::vector<TokenId>{}, Clock::steady()));
  EXPECT_EQ(scheduler.schedule().size(), 2U);
  const MixerList& pages = mixers_.list(specs({"softmax", "none", "softmax", "none"}));
  EXPECT_DOUBLE_EQ(scheduler.demand(0).front() * static_cast<double>(memory.limit()),
                   static_cast<double>(2 * sequence_bytes(*plan[0], 349) - sequence_bytes(pages, 256)));
}

TEST_F(Folding, SnapshotsStayWhereTheyWouldNotHelp) {
  // Two sequences hold one beginning, so that folding either frees next to nothing of it; a third can't begin.
  EngineOptions tight = options(470, LevelMode::per_request);
  tight.levels.cap = 1;  // of four layers one has a window then
  tight.step_tokens = 400;
  const std::vector<const MixerList*> plans = {plans_[0], plans_[1]};
  Engine engine(*model_, plans, tight);
  GenerationRequest request = request_for_tests(300, 60, 1);
  Collected first, second, third;
  engine.submit(request, first.sink());
  for (int i = 0; i < 3; ++i) engine.step();
  engine.submit(request, second.sink());
  for (int i = 0; i < 3; ++i) engine.step();
  ASSERT_GT(second.last.cached_tokens, 200);
  const auto snapshots = engine.stats().snapshots;
  ASSERT_GT(snapshots, 0);
  engine.submit(request_for_tests(300, 60, 3), third.sink());
  for (int i = 0; i < 3; ++i) engine.step();
  EXPECT_TRUE(third.tokens.empty());
  EXPECT_EQ(engine.stats().snapshots, snapshots);
  while (engine.step()) ASSERT_LE(engine.stats().cache_used(), tight.memory);
  EXPECT_EQ(third.last.finish, FinishReason::length);
}

TEST_F(Folding, SeveralRungsAreFoldedForOneThatWaits) {
  EngineOptions tight = options(420, LevelMode::per_request);
  tight.prefix_cache = false;
  tight.step_tokens = 400;
  Engine engine(*model_, plans_, tight);
  Collected first, second;
  engine.submit(request_for_tests(300, 100, 1), first.sink());
  for (int i = 0; i < 3; ++i) engine.step();
  ASSERT_EQ(first.last.plan, 0);
  GenerationRequest named = request_for_tests(200, 50, 2);
  named.plan = 1;  // takes more than one rung frees
  engine.submit(named, second.sink());
  for (int i = 0; i < 3; ++i) engine.step();
  EXPECT_GT(second.tokens.size(), 0U);
  EXPECT_GT(first.last.plan, 1);
  while (engine.step()) ASSERT_LE(engine.stats().cache_used(), tight.memory);
}

TEST_F(Folding, OneThatWaitsBeginsWhereFoldsAndSnapshotsTogetherMakeRoom) {
  for (const LevelMode mode : {LevelMode::automatic, LevelMode::per_request}) {
    for (const bool prefix_cache : {false, true}) {
      EngineOptions tight = options(740, mode);
      tight.step_tokens = 400;
      tight.prefix_cache = prefix_cache;  // snapshots hold the pages that a fold would free
      Engine engine(*model_, plans_, tight);
      Collected first, second, third;
      engine.submit(request_for_tests(300, 200, 1), first.sink());
      engine.submit(request_for_tests(300, 200, 2), second.sink());
      for (int i = 0; i < 4; ++i) engine.step();
      ASSERT_EQ(second.last.plan, 0);
      engine.submit(request_for_tests(300, 50, 3), third.sink());
      for (int i = 0; i < 4; ++i) engine.step();
      EXPECT_GT(third.tokens.size(), 0U) << static_cast<int>(mode) << prefix_cache;
      EXPECT_GT(engine.stats().folds, 0U);
      while (engine.step()) ASSERT_LE(engine.stats().cache_used(), tight.memory);
      EXPECT_EQ(engine.stats().preemptions, 0U);
    }
  }
}

TEST_F(Folding, AThreadWithNothingToDoLetsTheLevelFall) {
  EngineOptions quick = options(560);
  quick.levels.cooldown = 0.02;
  Engine engine(*model_, plans_, quick);
  const std::vector<GenerationRequest> requests = requests_for_tests(12);
  std::vector<Collected> results(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) engine.submit(requests[i], results[i].sink());
  ASSERT_TRUE(engine.step());
  EXPECT_GT(engine.stats().level, 0);
  std::thread compute([&] { engine.run(); });
  const Stopwatch watch;
  while ((engine.stats().running > 0 || engine.stats().level > 0) && watch.seconds() < 60)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  engine.stop();
  compute.join();
  EXPECT_EQ(engine.stats().level, 0);
}

TEST_F(Folding, CapsByLengthLeaveLongSequencesRoom) {
  EngineOptions by_length = options(200);
  by_length.levels.by_length = true;  // four layers: level 0 below 2048 tokens
  Engine engine(*model_, plans_, by_length);
  const int longest = engine.longest_sequence(3000);
  EXPECT_GE(longest, 192);
  GenerationRequest request = request_for_tests(100, 0);
  request.max_tokens = std::min(longest, 500) - 100;
  Collected result;
  engine.submit(request, result.sink());
  while (engine.step()) {
  }
  EXPECT_EQ(result.last.finish, FinishReason::length);
}

TEST_F(Folding, CapsByLengthAreThoseOfPrompts) {
  EngineOptions by_length = options(560);
  by_length.levels.by_length = true;
  Engine engine(*model_, plans_, by_length);
  for (const auto& [prompt, highest] : {std::pair{1, 0}, {2047, 0}, {2048, 1}, {4096, 1}, {8192, 2}})
    EXPECT_EQ(engine.highest_plan(prompt), highest) << prompt;
  std::vector<GenerationRequest> requests = requests_for_tests(12);
  std::vector<Collected> results(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) engine.submit(requests[i], results[i].sink());
  while (engine.step()) {
  }
  for (const Collected& result : results) EXPECT_EQ(result.last.plan, 0);
  EXPECT_GT(engine.stats().preemptions, 0U);
  EXPECT_EQ(engine.stats().level, 0);  // for none of them would get less
}

TEST_F(Folding, LevelsThatAreNotThereAreRefused) {
  EngineOptions wrong = options(900);
  wrong.levels.cap = 5;
  EXPECT_EQ(test::error_of([&] { Engine(*model_, plans_, wrong); }), "level 5: there are levels 0 to 4");
  wrong = options(900, LevelMode::fixed);
  wrong.levels.level = -1;
  EXPECT_EQ(test::error_of([&] { Engine(*model_, plans_, wrong); }), "level -1: there are levels 0 to 4");
}

}  // namespace
}  // namespace layerboost
