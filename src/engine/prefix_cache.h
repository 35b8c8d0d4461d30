// Caches of sequences that have been read, kept for sequences that begin alike.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/sequence.h"

namespace layerboost {

/// Keeps snapshots: forks of sequences with their partners, which share their blocks until somebody writes to them. A
/// softmax layer's full pages are never written again, so a snapshot of it costs nothing beside the sequence itself; a
/// window or a state is copied once the sequence goes on. Hence few snapshots, where they are likely to be wanted (see
/// snapshot_points()). A snapshot is found by the chained hashes of its pages of 64 tokens; then its tokens are
/// compared, so that no hash can confuse two sequences, and its plan and its rotations, which its sequence knows. The
/// least recently used go first. Not thread-safe.
class PrefixCache {
 public:
  static constexpr int page = 64;           // tokens that are hashed together
  static constexpr int interval = 1024;     // a long prompt leaves a snapshot at each multiple of it
  static constexpr int least_prompt = 256;  // shorter ones aren't worth a step of their own for their last page
  static constexpr std::size_t most_snapshots = 4096;

  /// The longest snapshot with one of `plans` that is a prefix of `tokens` and shorter; of equally long ones, that of
  /// the last such plan; nullptr if there is none. `as_read`: none that was folded will do. Only those whose rotations
  /// begin at `rotations` will do. It is valid until the next call that isn't const, and now the most recently used.
  const Sequence* find(std::span<const MixerList* const> plans, std::span<const TokenId> tokens, bool as_read = false,
                       int rotations = 0);

  /// Where a prompt, read up to position `from`, should leave snapshots, ascending: where it parts with another prompt
  /// that was here before; at multiples of `interval`; at the last boundary of a page before its end, which serves the
  /// same prompt when it comes again. Remembers the prompt.
  std::vector<int> snapshot_points(std::span<const TokenId> prompt, int from);

  /// Keeps a fork of `sequence`, which has read `tokens`: at least a page of them, or nothing happens.
  void store(std::span<const TokenId> tokens, const Sequence& sequence);

  /// Forgets the snapshot that wasn't used for longest; false if there is none.
  bool evict();

  [[nodiscard]] std::size_t size() const { return snapshots_.size(); }

 private:
  struct Snapshot {
    std::vector<TokenId> tokens;
    std::uint64_t hash;  // of the full pages
    Sequence sequence;
  };
  using Snapshots = std::list<Snapshot>;

  /// Entry i is the hash of the first i pages, for i = 0 .. tokens / 64.
  static std::vector<std::uint64_t> hashes(std::span<const TokenId> tokens);
  void remember(std::span<const std::uint64_t> hashes);
  [[nodiscard]] bool remembers(std::uint64_t hash) const { return recent_.contains(hash) || older_.contains(hash); }

  Snapshots snapshots_;  // most recently used first
  std::unordered_multimap<std::uint64_t, Snapshots::iterator> by_hash_;
  std::unordered_set<std::uint64_t> recent_, older_;  // hashes of the pages of prompts; the older ones go all at once
};

}  // namespace layerboost
