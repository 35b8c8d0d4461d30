// Requests from several threads while one computes.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

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
