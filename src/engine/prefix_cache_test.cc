#include "engine/prefix_cache.h"

#include <gtest/gtest.h>

#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

class PrefixCacheTest : public ::testing::Test {
 protected:
  Sequence sequence_of(int length) {
    Sequence sequence = memory_.make_sequence(none_);
    sequence.advance(length);
    return sequence;
  }
  void store(std::span<const TokenId> tokens) { cache_.store(tokens, sequence_of(static_cast<int>(tokens.size()))); }
  int found(std::span<const TokenId> tokens) {
    const Sequence* const sequence = cache_.find(std::array{&none_}, tokens);
    return sequence == nullptr ? 0 : sequence->length();
  }

  const MixerList none_{};
  CacheMemory memory_{1};
  PrefixCache cache_;
  const std::vector<TokenId> tokens_ = random_tokens(3000, 100);
  const std::span<const TokenId> all_ = tokens_;
};

TEST_F(PrefixCacheTest, FindsTheLongestThatIsShorter) {
  EXPECT_EQ(found(all_), 0);
  store(all_.first(64));
  store(all_.first(200));
  store(all_.first(230));
  store(all_.first(1000));
  EXPECT_EQ(found(all_), 1000);
  EXPECT_EQ(found(all_.first(1001)), 1000);
  EXPECT_EQ(found(all_.first(1000)), 230);  // a token must be left to be read
  EXPECT_EQ(found(all_.first(230)), 200);
  EXPECT_EQ(found(all_.first(200)), 64);
  EXPECT_EQ(found(all_.first(64)), 0);
  std::vector<TokenId> other = tokens_;
  other[220] ^= 1;
  EXPECT_EQ(found(other), 200);
  other[199] ^= 1;
  EXPECT_EQ(found(other), 64);
  other[0] ^= 1;
  EXPECT_EQ(found(other), 0);
}

TEST_F(PrefixCacheTest, LessThanAPageIsNotKept) {
  store(all_.first(63));
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(PrefixCacheTest, ASnapshotServesItsOwnPlanOnly) {
  const MixerList other;  // of the same mixers, here none, but another plan's
  store(all_.first(200));
  EXPECT_EQ(cache_.find(std::array{&other}, all_), nullptr);
  Sequence sequence = memory_.make_sequence(other);
  sequence.advance(200);
  cache_.store(all_.first(200), sequence);
  EXPECT_EQ(cache_.size(), 2U);  // the same tokens with each plan
  ASSERT_NE(cache_.find(std::array{&other}, all_), nullptr);
  EXPECT_EQ(&cache_.find(std::array{&other}, all_)->mixers(), &other);
  EXPECT_EQ(found(all_), 200);
}

TEST_F(PrefixCacheTest, TheLeastRecentlyUsedGoFirst) {
  std::vector<std::vector<TokenId>> sequences;
  for (std::uint64_t i = 0; i < 3; ++i) sequences.push_back(random_tokens(100, 100, 50 + i));
  for (const auto& sequence : sequences) store(std::span(sequence).first(80));
  EXPECT_EQ(found(sequences[0]), 80);
  EXPECT_TRUE(cache_.evict());
  EXPECT_EQ(found(sequences[1]), 0);
  EXPECT_EQ(found(sequences[0]), 80);
  EXPECT_TRUE(cache_.evict());
  EXPECT_EQ(found(sequences[2]), 0);
  EXPECT_TRUE(cache_.evict());
  EXPECT_FALSE(cache_.evict());
  EXPECT_EQ(found(sequences[0]), 0);
}

TEST_F(PrefixCacheTest, SnapshotsAreWantedWherePromptsPart) {
  using Points = std::vector<int>;
  EXPECT_EQ(cache_.snapshot_points(all_.first(200), 0), Points{});  // short and new
  EXPECT_EQ(cache_.snapshot_points(all_.first(200), 0), Points{192});
  std::vector<TokenId> other(tokens_.begin(), tokens_.begin() + 256);
  other[150] ^= 1;
  EXPECT_EQ(cache_.snapshot_points(other, 0), (Points{128, 192}));
  EXPECT_EQ(cache_.snapshot_points(other, 128), Points{192});
  EXPECT_EQ(cache_.snapshot_points(all_, 0), (Points{192, 1024, 2048, 2944}));
}

/// A second request that begins as an earlier one did.
class PrefixHits : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};
};

TEST_F(PrefixHits, ChangeNoToken) {
  for (const auto& plan : plans_for_tests()) {
    const MixerList& list = mixers_.list(plan);
    EngineOptions options;
    options.memory = std::size_t{64} << 20;
    options.step_tokens = 100;
    options.max_sequences = 8;
    Engine engine(*model_, list, options);
    const std::vector<TokenId> system = random_tokens(140, 258, 77);
    std::vector<GenerationRequest> requests;
    for (std::uint64_t i = 0; i < 12; ++i) {
      requests.push_back(request_for_tests(5 + 13 * static_cast<int>(i), 30, i));
      if (i % 4 != 3) requests.back().prompt.insert(requests.back().prompt.begin(), system.begin(), system.end());
    }
    std::vector<Collected> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      engine.submit(requests[i], results[i].sink());
      for (int step = 0; step < 5; ++step) engine.step();
    }
    while (engine.step()) {
    }
    for (std::size_t i = 0; i < requests.size(); ++i)
      EXPECT_EQ(results[i].tokens, alone(*model_, list, requests[i]).tokens) << to_string(plan[0]) << " " << i;
    // The first two read the common part, whose last boundary is at 128; the second leaves it there.
    EXPECT_EQ(results[0].last.cached_tokens, 0);
    EXPECT_EQ(results[1].last.cached_tokens, 0);
    for (const std::size_t i : {2U, 4U, 5U, 6U, 8U, 9U, 10U}) EXPECT_EQ(results[i].last.cached_tokens, 128) << i;
    EXPECT_EQ(results[3].last.cached_tokens, 0);
    const EngineStats stats = engine.stats();
    EXPECT_EQ(stats.prefix_hit_tokens, 7U * 128);
    EXPECT_EQ(stats.prefix_queried_tokens, stats.prompt_tokens);
  }
}

TEST_F(PrefixHits, AConversationGoesOnWhereItStopped) {
  for (const auto& plan : plans_for_tests()) {
    const MixerList& list = mixers_.list(plan);
    EngineOptions options;
    options.memory = std::size_t{64} << 20;
    Engine engine(*model_, list, options);
    GenerationRequest request = request_for_tests(50, 30);
    for (int turn = 0; turn < 3; ++turn) {
      Collected result;
      engine.submit(request, result.sink());
      while (engine.step()) {
      }
      EXPECT_EQ(result.tokens, alone(*model_, list, request).tokens) << to_string(plan[0]) << " turn " << turn;
      // All but the last token sampled, which has not been read.
      EXPECT_EQ(result.last.cached_tokens, turn == 0 ? 0 : 50 + 30 * turn - 1 + 20 * (turn - 1));
      request.prompt.insert(request.prompt.end(), result.tokens.begin(), result.tokens.end());
      const std::vector<TokenId> more = random_tokens(20, 258, 500 + static_cast<std::uint64_t>(turn));
      request.prompt.insert(request.prompt.end(), more.begin(), more.end());
    }
  }
}

TEST_F(PrefixHits, CanBeTurnedOff) {
  const MixerList& list = mixers_.list(native_specs(model_->config));
  EngineOptions options;
  options.memory = std::size_t{64} << 20;
  options.prefix_cache = false;
  Engine engine(*model_, list, options);
  for (int i = 0; i < 3; ++i) {
    Collected result;
    engine.submit(request_for_tests(300, 5), result.sink());
    while (engine.step()) {
    }
    EXPECT_EQ(result.last.cached_tokens, 0);
  }
  EXPECT_EQ(engine.stats().prefix_queried_tokens, 0U);
  EXPECT_EQ(engine.stats().cache_used(), 0U);
}

}  // namespace
}  // namespace layerboost
