#include "model/cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace layerboost {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

TEST(CachePools, BlocksAreZeroedAndCounted) {
  CachePools pools;
  Block block = pools.allocate(1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.get()) % 64, 0U);
  EXPECT_EQ(pools.bytes_in_use(), 1024U);
  EXPECT_EQ(CachePools::block_bytes(block), 1024U);
  std::memset(block.get(), 1, 1000);
  block.reset();
  EXPECT_EQ(pools.bytes_in_use(), 0U);
  EXPECT_EQ(pools.peak_bytes(), 1024U);
  block = pools.allocate(1000);  // the same memory
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(block.get()[i], std::byte{0});
}

TEST(CachePools, SharedBlocksAreCopiedBeforeWriting) {
  CachePools pools;
  Block block = pools.allocate(64), fork = block;
  block.get()[0] = std::byte{1};
  pools.make_unique(fork, 64);
  fork.get()[0] = std::byte{2};
  EXPECT_EQ(block.get()[0], std::byte{1});
  EXPECT_EQ(pools.bytes_in_use(), 128U);
  const std::byte* const own = fork.get();
  pools.make_unique(fork, 64);
  EXPECT_EQ(fork.get(), own);
}

TEST(CachePools, FreedMemoryServesOtherSizes) {
  CachePools pools;
  std::size_t largest = 0;
  for (int round = 0; round < 20; ++round) {
    const std::size_t size = 5000 + 3000 * static_cast<std::size_t>(round);
    std::vector<Block> blocks;
    while (pools.bytes_in_use() < 32 * mib) blocks.push_back(pools.allocate(size));
    largest = std::max(largest, pools.bytes_reserved());
    blocks.clear();
    pools.release_unused();
    EXPECT_EQ(pools.bytes_reserved(), 0U);
  }
  EXPECT_LE(largest, 36 * mib);
}

TEST(CachePools, LowSlabsAreFilledFirst) {
  CachePools pools;
  std::vector<Block> blocks;
  while (pools.bytes_reserved() <= 8 * mib) blocks.push_back(pools.allocate(100'000));
  const std::size_t full = pools.bytes_reserved();
  // Every second block goes; as many come again as there is room for in half of the slabs.
  for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i].reset();
  pools.release_unused();
  EXPECT_EQ(pools.bytes_reserved(), full - 2 * mib);  // the last slab held a single block
  for (std::size_t i = 0; i < blocks.size(); i += 4) blocks[i] = pools.allocate(100'000);
  EXPECT_EQ(pools.bytes_reserved(), full - 2 * mib);
}

}  // namespace
}  // namespace layerboost
