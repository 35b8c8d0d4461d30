// Sets of a layer's KV heads. They say which heads keep all positions where the others have a window. A set is a plain
// number, so that what has one can be compared, ordered and used as a key.
#pragma once

#include <bit>
#include <cstdint>

namespace layerboost {

/// Some of a layer's KV heads, a bit each: head g is in it where 1 << g is set.
using HeadSet = std::uint64_t;

/// A set has no heads from this on.
inline constexpr int head_set_size = 64;

constexpr bool has_head(HeadSet heads, int head) { return head < head_set_size && (heads >> head & 1U) != 0; }
constexpr HeadSet set_of_head(int head) { return HeadSet{1} << head; }
constexpr int head_count(HeadSet heads) { return std::popcount(heads); }
/// All of `kv_heads` heads.
constexpr HeadSet all_heads(int kv_heads) {
  return kv_heads >= head_set_size ? ~HeadSet{0} : set_of_head(kv_heads) - 1;
}

}  // namespace layerboost
