// The keys and values of all positions of a sequence: what softmax keeps in all KV heads, and a window in its full
// ones.
#pragma once

#include <optional>
#include <vector>

#include "mixer/attention_block.h"

namespace layerboost {

/// Keeps keys and values in a layer's cache, from block `first_block` on, in pages of 64 positions, each of which is
/// allocated when the sequence reaches it.
class PageCache {
 public:
  /// heads: the KV heads that are kept; empty: all. Requires: `block` outlives this.
  explicit PageCache(const AttentionBlock& block, std::size_t first_block = 0, std::vector<int> heads = {});

  [[nodiscard]] std::size_t first_block() const { return first_block_; }

  /// Fills projected.output with each query's softmax attention over all before it and itself, and keeps the new keys
  /// and values. Requires: all heads are kept.
  void attend(const MixerRows& rows, const Projected& projected, KernelScratch& scratch) const;

  /// What of a span goes into the pages, which are allocated and no longer shared.
  void put(const MixerSpan& span, std::vector<KvWrite>& writes) const;
  /// All that the span's queries may see. pinned: they do so whatever their window.
  void add_segments(const MixerSpan& span, bool pinned, std::vector<KvSegment>& segments) const;

  /// Returns what Mixer::place_of() does, for one of the heads that are kept: number `index` of `heads`.
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position, int index) const;

  /// Bytes kept of `length` positions.
  [[nodiscard]] std::size_t bytes(int length) const;
  /// Allocates those that `cache` doesn't have; its first `first_block` blocks are there already.
  void reserve(LayerCache& cache, int length) const;
  /// Bytes of the pages that `length` positions fill.
  [[nodiscard]] std::size_t finished_bytes(int length) const;
  /// Bytes that reading on copies: the last page, if somebody else holds it and it has room.
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& cache, int length) const;

 private:
  const AttentionBlock& block_;
  std::size_t first_block_;
  std::vector<int> heads_;
  KvLayout layout_;
};

}  // namespace layerboost
