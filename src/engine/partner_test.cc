// Sequences that another model reads beside the engine's own: what counts, takes and keeps memory has both.
#include <gtest/gtest.h>

#include "engine/cache_memory.h"
#include "engine/model_for_tests.h"
#include "engine/prefix_cache.h"

namespace layerboost {
namespace {

constexpr std::size_t plenty = std::size_t{64} << 20;

/// Runs a model, and its partner first.
class BothRunner final : public StepRunner {
 public:
  BothRunner(const Model& model, const Model& partner) : runner_(model), partner_(partner) {}
  const float* forward(std::span<const BatchItem> items) override {
    std::vector<BatchItem> beside;
    for (const BatchItem& item : items) {
      EXPECT_EQ(item.sequence->partner()->length(), item.sequence->length());
      beside.push_back({item.sequence->partner(), item.tokens});
    }
    partner_.forward(beside);
    return runner_.forward(items);
  }
  void logits(const float* hidden, std::span<const int> rows,
              const std::function<void(const LogitsBlock&)>& consume) override {
    runner_.logits(hidden, rows, consume);
  }
  void final_states(const float* hidden, std::span<const int> rows,
                    const std::function<void(int count, const float* states)>& consume) override {
    runner_.final_states(hidden, rows, consume);
  }
  StepTimes& times() override { return runner_.times(); }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    return runner_.scratch_bytes() + partner_.scratch_bytes();
  }

 private:
  ModelStepRunner runner_, partner_;
};

class Partner : public ::testing::Test {
 protected:
  /// Plans of the engine's own model, each with a plan of the partner.
  [[nodiscard]] std::vector<MixerList> plans() {
    const auto all = plans_for_tests();
    std::vector<MixerList> lists;
    for (std::size_t i = 0; i < all.size(); ++i) {
      lists.push_back(mixers_.list(all[i]));
      lists.back().partner = &partner_mixers_.list(all[(i + 1) % all.size()]);
    }
    return lists;
  }

  void read(Sequence& sequence, int count) {
    const BatchItem item{&sequence, std::span(tokens_).first(static_cast<std::size_t>(count))};
    runner_.forward({&item, 1});
  }

  const std::unique_ptr<Model> model_ = text_model(), partner_ = text_model(Precision::bf16);
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  MixerSet partner_mixers_{*partner_, random_parameters(partner_->config)};
  BothRunner runner_{*model_, *partner_};
  const std::vector<TokenId> tokens_ = random_tokens(400, 258);
};

TEST_F(Partner, BytesOfBothAreForeseen) {
  for (const MixerList& list : plans()) {
    CacheMemory memory(plenty);
    Sequence sequence = memory.make_sequence(list);
    for (const int count : {1, 1, 20, 42, 1, 100, 30, 1}) {
      const std::size_t before = memory.in_use(), foreseen = memory.growth(sequence, count);
      read(sequence, count);
      EXPECT_EQ(memory.in_use() - before, foreseen);
      EXPECT_EQ(memory.in_use(), memory.bytes(list, sequence.length()));
      EXPECT_EQ(memory.in_use(), sequence_bytes(list, sequence.length()));
    }
    MixerList own = list;
    own.partner = nullptr;
    EXPECT_EQ(memory.in_use(),
              sequence_bytes(own, sequence.length()) + sequence_bytes(*list.partner, sequence.length()));
  }
}

TEST_F(Partner, CopiesOfItsSharedBlocksAreForeseen) {
  for (const MixerList& list : plans()) {
    CacheMemory memory(plenty);
    Sequence sequence = memory.make_sequence(list);
    read(sequence, 100);
    Sequence fork = sequence;
    const std::size_t before = memory.in_use(), foreseen = memory.growth(fork, 1);
    EXPECT_EQ(before, memory.bytes(list, 100));
    read(fork, 1);
    EXPECT_LE(memory.in_use() - before, foreseen);
    // Only sinks, which aren't written any more, count though they aren't copied.
    EXPECT_GE(memory.in_use() - before + 4 * 8192, foreseen);
  }
}

TEST_F(Partner, MemoryForBothIsPreallocated) {
  for (const MixerList& list : plans()) {
    CacheMemory memory(plenty);
    memory.preallocate(list, 3, 200);
    const std::size_t reserved = memory.reserved();
    EXPECT_GE(reserved, 3 * memory.bytes(list, 200));
    std::vector<Sequence> sequences(3, memory.make_sequence(list));
    for (Sequence& sequence : sequences) read(sequence, 200);
    EXPECT_EQ(memory.reserved(), reserved);
  }
}

TEST_F(Partner, SnapshotsHaveBoth) {
  const MixerList list = plans()[0];
  CacheMemory memory(plenty);
  PrefixCache cache;
  std::size_t shared = 0;
  {
    Sequence sequence = memory.make_sequence(list);
    read(sequence, 128);
    cache.store(std::span(tokens_).first(128), sequence);
    shared = memory.in_use();
    read(sequence, 20);
  }
  EXPECT_EQ(memory.in_use(), shared);
  EXPECT_EQ(shared, memory.bytes(list, 128));
  const Sequence* const found = cache.find(std::array{&list}, tokens_);
  ASSERT_NE(found, nullptr);
  ASSERT_NE(found->partner(), nullptr);
  EXPECT_EQ(found->partner()->length(), 128);
  {
    Sequence fork = *found;
    read(fork, 64);
    EXPECT_EQ(fork.partner()->length(), 192);
    EXPECT_EQ(found->partner()->length(), 128);
  }
  EXPECT_TRUE(cache.evict());
  EXPECT_EQ(memory.in_use(), 0U);
}

TEST_F(Partner, SequencesArePreemptedWithTheirsWhenMemoryIsShort) {
  std::vector<MixerList> lists = plans();
  for (const std::size_t which : {0U, 1U, 3U}) {
    const MixerList& list = lists[which];
    MixerList own = list;
    own.partner = nullptr;
    std::vector<GenerationRequest> requests;
    for (int i = 0; i < 7; ++i)
      requests.push_back(request_for_tests(5 + i * 53 % 100, 60 + i * 67 % 300, 40 + static_cast<std::uint64_t>(i)));
    std::vector<std::vector<TokenId>> expected;
    for (const GenerationRequest& request : requests) expected.push_back(alone(*model_, own, request).tokens);
    for (const bool prefix_cache : {false, true}) {
      EngineOptions options;
      options.prefix_cache = prefix_cache;
      options.step_tokens = 64;
      options.max_sequences = 6;
      options.memory = sequence_bytes(list, 460);
      Engine engine(*model_, std::vector{&list}, options, std::make_unique<BothRunner>(*model_, *partner_));
      EXPECT_LE(sequence_bytes(list, engine.longest_sequence(2000, 0)), options.memory);
      std::vector<Collected> results(requests.size());
      for (std::size_t i = 0; i < requests.size(); ++i) engine.submit(requests[i], results[i].sink());
      while (engine.step()) EXPECT_LE(engine.stats().cache_used(), options.memory);
      for (std::size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(results[i].tokens, expected[i]) << which << " " << i;
      if (which == 0) {
        EXPECT_GT(engine.stats().preemptions, 0U);
      }
      if (!prefix_cache) {
        EXPECT_EQ(engine.stats().cache_used(), 0U);
      }
    }
  }
}

}  // namespace
}  // namespace layerboost
