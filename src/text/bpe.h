// Byte-pair encoding of one piece: merge the neighbours whose merge was learnt first, until none is left.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace layerboost {

/// Which pairs of tokens merge: a flat hash map (left, right) -> (rank, merged).
class MergeTable {
 public:
  static constexpr std::uint32_t no_merge = 0xFFFFFFFF;
  struct Merge {
    std::uint32_t rank = no_merge;  // lower merges first
    TokenId merged = -1;
  };

  explicit MergeTable(std::size_t merges);
  /// A pair that is there already takes the new rank, as in Hugging Face's implementation. At most `merges` calls.
  void insert(TokenId left, TokenId right, Merge merge);
  [[nodiscard]] Merge find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    std::uint64_t pair = empty;
    Merge merge;
  };
  static constexpr std::uint64_t empty = 0xFFFFFFFFFFFFFFFF;
  [[nodiscard]] std::size_t slot_of(std::uint64_t pair) const;

  unsigned shift_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

/// Immutable; safe to use from several threads.
class BytePairEncoder {
 public:
  /// `tokens` and `merges` as in TokenizerData. Throws Error for a merge that is not "left right" or whose parts or
  /// result are not among the tokens.
  BytePairEncoder(const std::vector<std::string>& tokens, const std::vector<std::string>& merges);

  /// Appends the ids of `piece`. Takes n log n time for n bytes. Bytes without a token of their own are left out.
  void encode(std::string_view piece, std::vector<TokenId>& ids) const;

  /// The token of a single byte; -1: the vocabulary has none.
  [[nodiscard]] TokenId byte_token(unsigned char byte) const { return byte_tokens_[byte]; }

 private:
  static constexpr std::size_t longest_scan = 32;  // bytes; for longer pieces a heap is faster
  void merge_by_scan(std::string_view piece, std::vector<TokenId>& ids) const;
  void merge_by_heap(std::string_view piece, std::vector<TokenId>& ids) const;

  std::array<TokenId, 256> byte_tokens_ = {};
  MergeTable merges_;
};

}  // namespace layerboost
