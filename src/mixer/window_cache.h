// The keys and values of a sliding window with sinks, and attention over them: what window, hybrid and gated share.
// Some KV heads may keep everything instead.
#pragma once

#include <optional>
#include <vector>

#include "kernels/head_set.h"
#include "mixer/page_cache.h"

namespace layerboost {

/// Keeps keys and values in a layer's cache, from block `first_block` on: a block of s sinks (positions 0 .. s-1), if
/// any, and a ring of w (position p >= s in slot (p - s) mod w) in pages of 64 slots, each of which is allocated when
/// the sequence reaches it. With full heads, sinks and ring are those of the other heads, the ring has places for all
/// of its pages from the first position on (empty until the sequence reaches them), and behind them lie the full heads'
/// pages.
class WindowCache {
 public:
  /// full: the KV heads that keep everything. Requires: `block` outlives this.
  WindowCache(const AttentionBlock& block, int window, int sinks, std::size_t first_block = 0, HeadSet full = 0);

  /// Fills projected.output with each query's softmax attention over its window and the sinks, and keeps the new keys
  /// and values. log_sums, maxima: nullptr, or [rows, H] for what AttentionTask says of them.
  void attend(const MixerRows& rows, const Projected& projected, KernelScratch& scratch, float* log_sums = nullptr,
              float* maxima = nullptr) const;

  /// Keys and values [G, d] of a position p >= s that the ring still holds. Requires: no full heads.
  void load(const LayerCache& cache, int position, float* k, float* v) const;

  /// Returns what Mixer::place_of() does, for all KV heads: those with the window and the sinks, and the full ones.
  [[nodiscard]] std::optional<KvPlace> place_of(const LayerCache& cache, int length, int position, int head) const;

  /// Bytes kept of `length` positions.
  [[nodiscard]] std::size_t bytes(int length) const;
  /// Allocates those that `cache` doesn't have; its first `first_block` blocks are there already.
  void reserve(LayerCache& cache, int length) const;
  /// Returns what Mixer::finished_bytes() does: the bytes of the full heads' whole pages.
  [[nodiscard]] std::size_t finished_bytes(int length) const {
    return has_full() ? full_pages_->finished_bytes(length) : 0;
  }
  /// Returns what Mixer::bytes_to_copy() does, for the sinks, the ring, and the full heads' last page.
  [[nodiscard]] std::size_t bytes_to_copy(const LayerCache& cache, int length) const;

 private:
  /// What the full heads of a span's queries see, and the list of all heads that says which do.
  struct FullView {
    std::vector<KvSegment> segments;
    std::vector<AttentionHead> heads;
  };
  [[nodiscard]] FullView full_view(const MixerSpan& span) const;
  [[nodiscard]] bool has_full() const { return full_pages_.has_value(); }

  /// What of a span goes into the sinks, and into the ring.
  void put_sinks(const MixerSpan& span, std::vector<KvWrite>& writes) const;
  void put_ring(const MixerSpan& span, std::vector<KvWrite>& writes) const;
  /// A chunk's own keys and values, behind the sinks, in pages from `memory` on.
  void put_chunk(const MixerSpan& span, std::byte* memory, std::vector<KvWrite>& writes) const;
  /// Pages of it; a single token has none.
  [[nodiscard]] int chunk_pages(const MixerSpan& span) const;
  /// The first of a span's rows that isn't a sink.
  [[nodiscard]] int behind_sinks(const MixerSpan& span) const;

  /// What a span's queries see, of a chunk's own with the pages from `chunk` on. positions: kept of a ring that isn't
  /// in order.
  void add_segments(const MixerSpan& span, const std::byte* chunk, std::vector<KvSegment>& segments,
                    std::vector<std::vector<std::int32_t>>& positions) const;

  [[nodiscard]] int ring_pages(int end) const;
  [[nodiscard]] KvLayout page_layout(int page) const;
  [[nodiscard]] KvWrite write(const MixerSpan& span, int first, int count, const KvLayout& layout, std::byte* block,
                              int slot, bool clear = false) const {
    return {&span, first, count, layout, block, slot, clear, near_heads_};
  }
  [[nodiscard]] std::byte* sinks(const LayerCache& cache) const { return cache.blocks[first_block_].get(); }
  [[nodiscard]] std::size_t first_page() const { return first_block_ + (sinks_ > 0 ? 1 : 0); }

  const AttentionBlock& block_;
  int window_, sinks_;
  std::size_t first_block_;
  std::vector<int> near_heads_;  // those with the window; empty: all
  std::vector<int> places_;      // [G]: each KV head's place among the near ones or among the full ones
  HeadSet full_;
  std::optional<PageCache> full_pages_;
  KvLayout sink_layout_, chunk_layout_;
};

}  // namespace layerboost
