#include "engine/cache_memory.h"

#include <gtest/gtest.h>

#include "engine/model_for_tests.h"

namespace layerboost {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

class CacheMemoryTest : public ::testing::Test {
 protected:
  const std::unique_ptr<Model> model_ = text_model();
  MixerSet mixers_{*model_, random_parameters(model_->config)};
  Runner runner_{*model_};
  const std::vector<TokenId> tokens_ = random_tokens(400, 258);

  void read(Sequence& sequence, int count) {
    const BatchItem item{&sequence, std::span(tokens_).first(static_cast<std::size_t>(count))};
    runner_.forward({&item, 1});
  }
};

TEST_F(CacheMemoryTest, GrowthIsForeseen) {
  for (const auto& plan : plans_for_tests()) {
    const MixerList& list = mixers_.list(plan);
    CacheMemory memory(64 * mib);
    Sequence sequence = memory.make_sequence(list);
    for (const int count : {1, 1, 20, 42, 1, 1, 100, 30, 1}) {
      const std::size_t before = memory.in_use(), foreseen = memory.growth(sequence, count);
      read(sequence, count);
      EXPECT_EQ(memory.in_use() - before, foreseen);
      EXPECT_EQ(memory.in_use(), memory.bytes(list, sequence.length()));
      EXPECT_EQ(memory.room(), 64 * mib - memory.in_use());
    }
  }
}

TEST_F(CacheMemoryTest, PreallocatedMemoryIsUsed) {
  for (const auto& plan : plans_for_tests()) {
    const MixerList& list = mixers_.list(plan);
    CacheMemory memory(64 * mib);
    memory.preallocate(list, 3, 200);
    EXPECT_EQ(memory.in_use(), 0U);
    const std::size_t reserved = memory.reserved();
    EXPECT_GE(reserved, 3 * memory.bytes(list, 200));
    std::vector<Sequence> sequences(3, memory.make_sequence(list));
    for (Sequence& sequence : sequences) read(sequence, 200);
    EXPECT_EQ(memory.in_use(), 3 * memory.bytes(list, 200));
    EXPECT_EQ(memory.reserved(), reserved);
  }
}

TEST_F(CacheMemoryTest, CopiesOfSharedBlocksAreForeseen) {
  for (const auto& plan : plans_for_tests()) {
    const MixerList& list = mixers_.list(plan);
    CacheMemory memory(64 * mib);
    for (const int length : {10, 64, 100, 128, 200}) {
      Sequence sequence = memory.make_sequence(list);
      read(sequence, length);
      for (const int count : {1, 5, 64, 150}) {
        Sequence fork = sequence;
        const std::size_t before = memory.in_use(), foreseen = memory.growth(fork, count);
        read(fork, count);
        EXPECT_LE(memory.in_use() - before, foreseen) << to_string(plan[0]) << " " << length << " " << count;
        // Every window was written all over; only sinks, which never are, count though they aren't copied.
        if (count == 150) {
          EXPECT_GE(memory.in_use() - before + 3 * 8192, foreseen);
        }
      }
    }
  }
}

TEST_F(CacheMemoryTest, UseIsKnownByAccount) {
  const MixerList& list = mixers_.list(plans_for_tests()[3]);  // hybrid, softmax, gated, hybrid
  CacheMemory memory(64 * mib);
  Sequence sequence = memory.make_sequence(list);
  read(sequence, 100);
  EXPECT_EQ(memory.in_use(CacheAccount::softmax), mixers_.mixer(1, parse_mixer("softmax")).cache_bytes(100));
  EXPECT_EQ(memory.in_use(CacheAccount::window), 0U);
  EXPECT_EQ(memory.in_use(CacheAccount::state), memory.in_use() - memory.in_use(CacheAccount::softmax));
}

TEST_F(CacheMemoryTest, WhatOneSizeFreedAnotherMayUse) {
  const MixerList& list = mixers_.list(plans_for_tests()[2]);  // layer 0: softmax, layer 2: a window
  CacheMemory memory(32 * mib);
  for (const int layer : {0, 2, 0}) {
    for (const std::size_t size : {std::size_t{20'000}, std::size_t{50'000}}) {
      Sequence sequence = memory.make_sequence(list);
      LayerCache& cache = sequence.cache(layer);
      while (memory.in_use() < 31 * mib) {
        memory.prepare(size + 64);
        cache.blocks.push_back(cache.pools->allocate(size));
      }
      EXPECT_LE(memory.reserved(), 34 * mib);
    }
  }
}

}  // namespace
}  // namespace layerboost
