// One engine whose requests have different plans.
#include <gtest/gtest.h>

#include "base/error_for_tests.h"
#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

class EnginePlans : public ::testing::Test {
 protected:
  EnginePlans() {
    for (const auto& plan : plans_for_tests()) plans_.push_back(&mixers_.list(plan));
  }

  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  std::vector<const MixerList*> plans_;
};

TEST_F(EnginePlans, ShareStepsAndChangeNoToken) {
  const std::vector<TokenId> system = random_tokens(140, 258, 77);  // so that all begin alike, whatever their plan
  std::vector<GenerationRequest> requests;
  for (std::uint64_t i = 0; i < 2 * plans_.size(); ++i) {
    requests.push_back(request_for_tests(5 + 3 * static_cast<int>(i), 100, i));
    requests.back().prompt.insert(requests.back().prompt.begin(), system.begin(), system.end());
    requests.back().plan = static_cast<int>(i % plans_.size());
  }
  std::uint64_t pre_empted = 0;
  std::uint64_t found = 0;
  for (const int positions : {400, 1000}) {  // little enough to pre-empt, and enough to keep prefixes
    EngineOptions options;
    options.memory = sequence_bytes(*plans_[0], positions);
    options.step_tokens = 60;
    options.max_sequences = 16;
    Engine engine(*model_, plans_, options);
    std::vector<Collected> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      engine.submit(requests[i], results[i].sink());
      engine.step();
    }
    while (engine.step()) ASSERT_LE(engine.stats().cache_used(), options.memory);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      GenerationRequest request = requests[i];
      const MixerList& own = *plans_[static_cast<std::size_t>(*std::exchange(request.plan, {}))];
      EXPECT_EQ(results[i].tokens, alone(*model_, own, request).tokens) << i;
    }
    pre_empted += engine.stats().preemptions;
    found += engine.stats().prefix_hit_tokens;
  }
  EXPECT_GT(pre_empted, 0U);
  EXPECT_GT(found, 0U);
}

TEST_F(EnginePlans, MemoryIsAskedOfTheRequestsOwnPlan) {
  EngineOptions options;
  options.memory = sequence_bytes(*plans_[1], 400);  // of windows, which long sequences don't make larger
  Engine engine(*model_, plans_, options);
  EXPECT_EQ(engine.longest_sequence(400, 1), 400);
  EXPECT_LT(engine.longest_sequence(400, 0), 400);
  EXPECT_EQ(engine.longest_sequence(400, 4), 400);
  GenerationRequest request = request_for_tests(300, 50);
  EXPECT_THAT(test::error_of([&] { engine.submit(request, [](Output&&) {}); }), testing::HasSubstr("MiB of cache"));
  request.plan = 1;
  Collected result;
  engine.submit(request, result.sink());
  while (engine.step()) {
  }
  EXPECT_EQ(result.tokens.size(), 50U);
}

TEST_F(EnginePlans, APlanThatIsNotThereIsRefused) {
  Engine engine(*model_, plans_);
  for (const int plan : {-1, 6}) {
    GenerationRequest request = request_for_tests(5, 5);
    request.plan = plan;
    EXPECT_EQ(test::error_of([&] { engine.submit(request, [](Output&&) {}); }),
              fmt::format("plan {}: there are plans 0 to 5", plan));
  }
}

}  // namespace
}  // namespace layerboost
