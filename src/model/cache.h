// Memory for what mixers keep of sequences: pools of equal blocks, shared by reference count, copied when written while
// shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace layerboost {

/// A block of a pool; the memory returns to the pool when the last holder lets go. Aligned to 64 bytes.
using Block = std::shared_ptr<std::byte>;

/// Pools of blocks, one for each size in use (pages for softmax, rings for windows, ...). Memory is taken from the
/// system in slabs that belong to one size, and a pool fills its slabs at low addresses first, so that the others
/// empty: once empty, release_unused() makes their memory usable for other sizes. Not thread-safe.
/// Requires: it outlives its blocks.
class CachePools {
 public:
  CachePools();
  ~CachePools();
  CachePools(const CachePools&) = delete;
  CachePools& operator=(const CachePools&) = delete;

  /// A block of this size, zeroed.
  Block allocate(std::size_t bytes);
  /// Makes `block` (of this size) safe to write: a copy replaces it if somebody else holds it too.
  void make_unique(Block& block, std::size_t bytes);

  /// Gives slabs that hold no block back to the system.
  void release_unused();

  /// The size of a block as it counts in bytes_in_use().
  static std::size_t block_bytes(const Block& block);
  /// The same of a block that somebody else holds, too, and that make_unique() would copy; 0 of others, and of none.
  static std::size_t bytes_to_copy(const Block& block) {
    return block != nullptr && block.use_count() > 1 ? block_bytes(block) : 0;
  }

  [[nodiscard]] std::size_t bytes_in_use() const;
  /// Bytes taken from the system.
  [[nodiscard]] std::size_t bytes_reserved() const;
  /// The most that bytes_in_use() has been.
  [[nodiscard]] std::size_t peak_bytes() const;

 private:
  class Pool;
  struct GiveBack;
  std::map<std::size_t, std::unique_ptr<Pool>> pools_;
  std::size_t in_use_ = 0, peak_ = 0;
};

/// What one layer keeps of one sequence; only its mixer knows what the blocks mean. Copying shares the blocks: a cheap
/// fork.
struct LayerCache {
  CachePools* pools = nullptr;
  std::vector<Block> blocks;
  int rotations = 0;  // where those of the sequence begin in the model's table (RopeConfig::rotations())
};

}  // namespace layerboost
