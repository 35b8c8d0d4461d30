// Which neighbouring tokens merge into one, and the merging itself: best pairs first, until none is left that merges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "layerboost/types.h"

namespace layerboost {

/// The ids of tokens by their text. The texts stay where they are.
using IdsByText = std::unordered_map<std::string_view, TokenId>;

/// Of a text that several tokens have, the first one's id.
IdsByText ids_by_text(const std::vector<std::string>& tokens);

/// Which pairs of tokens merge: a flat hash map (left, right) -> (rank, merged). Once filled it is safe to use from
/// several threads.
class MergeTable {
 public:
  static constexpr std::uint32_t no_merge = 0xFFFFFFFF;
  struct Merge {
    std::uint32_t rank = no_merge;  // lower merges first
    TokenId merged = -1;
  };

  explicit MergeTable(std::size_t merges);
  /// The table of `merges` ("left right", best first) between the tokens that have these ids. Throws Error for a merge
  /// that is not "left right" or whose parts or result are not among the tokens.
  MergeTable(const IdsByText& ids, const std::vector<std::string>& merges);

  /// A pair that is there already takes the new rank, as in Hugging Face's implementation. At most `merges` calls.
  void insert(TokenId left, TokenId right, Merge merge);
  [[nodiscard]] Merge find(TokenId left, TokenId right) const;

  /// Merges the tokens from ids[begin] on: always the pair of the lowest rank, the leftmost of equals. Takes n log n
  /// time for n tokens.
  void merge_from(std::size_t begin, std::vector<TokenId>& ids) const;

 private:
  struct Slot {
    std::uint64_t pair = empty;
    Merge merge;
  };
  static constexpr std::uint64_t empty = 0xFFFFFFFFFFFFFFFF;
  static constexpr std::size_t longest_scan = 32;  // tokens; for more of them a heap is faster

  [[nodiscard]] std::size_t slot_of(std::uint64_t pair) const;
  void merge_by_scan(std::size_t begin, std::vector<TokenId>& ids) const;
  void merge_by_heap(std::size_t begin, std::vector<TokenId>& ids) const;

  unsigned shift_;
  std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace layerboost
