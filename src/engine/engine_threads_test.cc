// Requests from several threads while one computes.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

TEST(EngineThreads, SubmitCancelAndLookFromEverywhere) {
  const auto model = text_model();
  MixerSet mixers(*model);
  const MixerList& list = mixers.list(native_specs(model->config));
  EngineOptions options;
  options.memory = std::size_t{8} << 20;
  options.step_tokens = 64;
  options.max_sequences = 8;
  options.max_queue = 6;
  Engine engine(*model, list, options);
  std::thread compute([&] { engine.run(); });

  const GenerationRequest known = request_for_tests(30, 10, 3);
  const std::vector<TokenId> expected = alone(*model, list, known).tokens;
  std::atomic<int> ended = 0, right = 0, refused = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 10; ++i) {
        struct State {
          std::vector<TokenId> tokens;
          std::atomic<bool> ended = false;
        };
        const auto state = std::make_shared<State>();
        RequestId id = 0;
        while (id == 0) {
          try {
            id = engine.submit(known, [&, state](Output&& output) {
              state->tokens.insert(state->tokens.end(), output.tokens.begin(), output.tokens.end());
              if (output.finish == FinishReason::none) return;
              if (output.finish == FinishReason::cancelled || state->tokens == expected) ++right;
              ++ended;
              state->ended = true;
              state->ended.notify_one();
            });
          } catch (const QueueFull&) {
            ++refused;
            std::this_thread::yield();
          }
        }
        if (i % 3 == 2) engine.cancel(id);
        if (client % 2 == 0) state->ended.wait(false);  // the others don't wait
        EXPECT_LE(engine.stats().running, 8);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  while (ended < 40) std::this_thread::yield();
  engine.stop();
  compute.join();
  EXPECT_EQ(right, 40);
  EXPECT_EQ(engine.stats().requests, 40U);
}

TEST(EngineThreads, LevelsChangeWhileEverybodyAsks) {
  const auto model = text_model();
  MixerSet mixers(*model);
  const std::vector<const MixerList*> plans = {
      &mixers.list(native_specs(model->config)), &mixers.list(specs({"window:64+4", "softmax", "softmax", "softmax"})),
      &mixers.list(specs({"window:64+4", "window:16+3", "window:16+3", "softmax"}))};
  EngineOptions options;
  options.memory = sequence_bytes(*plans[0], 700);
  options.step_tokens = 64;
  options.max_sequences = 8;
  options.levels.mode = LevelMode::automatic;
  options.levels.cap = 2;
  options.levels.cooldown = 0.01;
  Engine engine(*model, plans, options);
  std::thread compute([&] { engine.run(); });
  std::atomic<int> ended = 0;
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 8; ++i) {
        GenerationRequest request = request_for_tests(150, 60, static_cast<std::uint64_t>(8 * client + i));
        if (i % 4 == 3) request.plan = client % 3;
        const RequestId id = engine.submit(request, [&](Output&& output) {
          if (output.finish != FinishReason::none) ++ended;
        });
        if (i % 5 == 4) engine.cancel(id);
        const EngineStats stats = engine.stats();
        EXPECT_LE(stats.level, 2);
        EXPECT_LE(stats.cache_used(), options.memory);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  while (ended < 32) std::this_thread::yield();
  engine.stop();
  compute.join();
  EXPECT_GT(engine.stats().level_changes[static_cast<std::size_t>(LevelCause::memory)], 0);
}

TEST(EngineThreads, StopsAndRunsAgain) {
  const auto model = text_model();
  MixerSet mixers(*model);
  Engine engine(*model, mixers.list(native_specs(model->config)), {});
  for (int round = 0; round < 3; ++round) {
    engine.stop();  // also before run() has begun
    engine.run();
  }
  Collected result;
  std::atomic<bool> ended = false;
  std::thread compute([&] { engine.run(); });
  const auto collect = result.sink();
  engine.submit(request_for_tests(10, 5), [&](Output&& output) {
    const bool last = output.finish != FinishReason::none;
    collect(std::move(output));
    ended = last;
  });
  while (!ended) std::this_thread::yield();
  engine.stop();
  compute.join();
  EXPECT_EQ(result.tokens.size(), 5U);
}

}  // namespace
}  // namespace layerboost
