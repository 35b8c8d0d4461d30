// The memory for all caches: one limit, a pool for each CacheAccount, and what a step is going to need of it.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <vector>

#include "model/sequence.h"

namespace layerboost {

/// Bytes that the layers, and those of a partner, keep of one sequence of `length` positions.
std::size_t sequence_bytes(const MixerList& mixers, int length);

/// Sequences may have different plans: what one needs is asked of its own mixers. What is said of a sequence is said of
/// it and its partner together. Not thread-safe. Requires: it outlives its sequences.
class CacheMemory {
 public:
  /// `limit`: bytes of all blocks together.
  explicit CacheMemory(std::size_t limit) : limit_(limit) {}

  /// Takes memory for `count` sequences of `length` positions from the system now, and touches it.
  void preallocate(const MixerList& mixers, int count, int length);

  /// A sequence without positions. Requires: `mixers` [L] outlive this, here and below.
  Sequence make_sequence(const MixerList& mixers);

  /// Bytes of a sequence of `length` positions that shares nothing.
  std::size_t bytes(const MixerList& mixers, int length);
  /// Bytes of it that all who read on from such a sequence share: Mixer::finished_bytes().
  std::size_t finished_bytes(const MixerList& mixers, int length);

  /// The most that reading `count` more positions may take: new blocks, and copies of those that are written and that
  /// somebody else holds, too.
  std::size_t growth(const Sequence& sequence, int count);

  /// Makes the sequence one with `mixers` that has read the same: Sequence::fold().
  bool fold(Sequence& sequence, const MixerList& mixers);

  /// Returns by how many bytes less would be in use after fold(): fewer than 0 where blocks are shared, or the sequence
  /// is short.
  static std::ptrdiff_t freed_by_fold(const Sequence& sequence, const MixerList& mixers);

  /// Before a step that may take `growth` bytes (at most room()): sees to it that what is reserved stays within the
  /// limit but for partly filled slabs.
  void prepare(std::size_t growth);

  [[nodiscard]] std::size_t limit() const { return limit_; }
  [[nodiscard]] std::size_t in_use() const;
  [[nodiscard]] std::size_t in_use(CacheAccount account) const {
    return pools_[static_cast<std::size_t>(account)].bytes_in_use();
  }
  /// What is left below the limit.
  [[nodiscard]] std::size_t room() const;
  /// Bytes taken from the system.
  [[nodiscard]] std::size_t reserved() const;

 private:
  [[nodiscard]] Sequence::PoolsOf pools_by_account();

  std::size_t limit_;
  std::array<CachePools, 3> pools_;  // by CacheAccount
  /// Bytes of a plan's sequences, by length as far as asked for.
  struct Known {
    std::vector<std::size_t> bytes, finished;
  };
  std::map<const MixerList*, Known> known_;
};

}  // namespace layerboost
