// Softmax attention of queries over blocks of cached keys and values: prompt chunks in tiles, single new tokens split
// over sequences and heads. Softmax layers and windows with sinks (LayerBoost's middle tier) use the same
// kernel; they differ in which blocks they pass and how far a query looks back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/kv_segment.h"
#include "kernels/scratch.h"

namespace layerboost {

/// What a block holds.
enum class KvContent { both, keys, values };

/// How a block of `slots` positions keeps its keys and values. Per KV head, one after another: K, then V, as far as the
/// block holds them, with d' = d of the keys or values rounded up to a multiple of 16 (the padding is zero) and slots a
/// multiple of 16:
///   bf16: K [d'/2][slots][2], V [slots/2][d'][2]     pairs lie together as dot-product instructions want them
///   f32:  K [d'][slots],      V [slots][d']
///   int8: as bf16, each number a byte; then the scales of the slots' keys [slots] and of their values [slots] in bf16:
///         a number is its byte times its slot's scale, the largest of a key or value +-127
/// Requires: a block is zeroed (clear_kv) before its first use, so that unused slots hold numbers.
struct KvLayout {
  KvType type = KvType::bf16;
  int kv_heads = 0;   // G
  int head_size = 0;  // d
  int slots = 0;
  KvContent content = KvContent::both;
  int value_size = 0;  // d of values; 0: head_size

  [[nodiscard]] bool has_keys() const { return content != KvContent::values; }
  [[nodiscard]] bool has_values() const { return content != KvContent::keys; }
  /// d of a key or value, 0 where the block holds none; and d'.
  [[nodiscard]] int key_head() const { return has_keys() ? head_size : 0; }
  [[nodiscard]] int value_head() const { return !has_values() ? 0 : value_size > 0 ? value_size : head_size; }
  [[nodiscard]] int padded_key() const { return (key_head() + 15) / 16 * 16; }
  [[nodiscard]] int padded_value() const { return (value_head() + 15) / 16 * 16; }
  /// Bytes of one slot's key of one head, with its scale; of its value; of both.
  [[nodiscard]] int key_bytes() const { return element() * padded_key() + (has_keys() ? scale_bytes() : 0); }
  [[nodiscard]] int value_bytes() const { return element() * padded_value() + (has_values() ? scale_bytes() : 0); }
  [[nodiscard]] int slot_bytes() const { return key_bytes() + value_bytes(); }
  [[nodiscard]] std::size_t head_bytes() const {
    return static_cast<std::size_t>(slot_bytes()) * static_cast<std::size_t>(slots);
  }
  [[nodiscard]] std::size_t bytes() const { return head_bytes() * static_cast<std::size_t>(kv_heads); }

  /// The layout of the part of the block that one head has: head g's begins at g * head_bytes().
  [[nodiscard]] KvLayout of_one_head() const {
    KvLayout one = *this;
    one.kv_heads = 1;
    return one;
  }

  [[nodiscard]] KvPart keys() const { return {key_head(), slot_bytes(), 0, number_bytes()}; }
  [[nodiscard]] KvPart values() const {
    return {value_head(), slot_bytes(), element() * padded_key(), slot_bytes() - scale_bytes()};
  }

 private:
  [[nodiscard]] int element() const { return type == KvType::f32 ? 4 : type == KvType::bf16 ? 2 : 1; }
  [[nodiscard]] int scale_bytes() const { return type == KvType::int8 ? 2 : 0; }
  [[nodiscard]] int number_bytes() const { return element() * (padded_key() + padded_value()); }
};

void clear_kv(const KvLayout& layout, std::byte* block);

/// Writes `count` consecutive positions into slots first_slot .. first_slot + count - 1. k, v: [count, G, d] f32, rows
/// `stride` floats apart; nullptr: not written. Runs on the caller's thread.
void store_kv(const KvLayout& layout, std::byte* block, int first_slot, int count, const float* k, const float* v,
              std::ptrdiff_t stride, ScratchStack& scratch);

/// Reads one slot back (for tests and for moving tokens between caches): k, v [G, d] f32; nullptr: not asked for.
void load_kv(const KvLayout& layout, const std::byte* block, int slot, float* k, float* v);

/// Copies what one slot holds, bit by bit, to a slot of another block. Requires: layouts that differ in their slots
/// only.
void move_kv(const KvLayout& from, const std::byte* source, int from_slot, const KvLayout& to, std::byte* target,
             int to_slot);

/// One head of attention: the query head that asks, and the heads of blocks whose keys it is compared with and whose
/// values it takes.
struct AttentionHead {
  int query = 0, key = 0, value = 0;
  std::span<const KvSegment> segments = {};  // what this head sees in place of the task's segments, unless empty
};

/// The queries of one sequence in one step: positions first_position .. first_position + count - 1.
/// Query i sees a key at position j if j <= i, and i - j < window or window == 0 or the segment is pinned.
/// Requires: every query sees at least one key, and segments show no position twice.
struct AttentionTask {
  const float* q = nullptr;  // [count, H, d]
  float* out = nullptr;      // [count, A, d of the values], A the number of heads of attention
  int count = 0;
  int first_position = 0;
  int window = 0;
  std::span<const KvSegment> segments;
  float* log_sums = nullptr;  // nullptr, or [count, A]: for log2 of each query's sum over keys of e^score
  float* maxima = nullptr;    // nullptr, or [count, A]: for the largest score times log2(e)
  /// [A]; empty: A = H, query head n with KV head n / (H / G).
  std::span<const AttentionHead> heads = {};
  /// nullptr, or [count, A, first_position + count]: for the softmax's result by position, 0 where a query doesn't
  /// look.
  float* weights = nullptr;
};

/// Heads of keys can't be larger where they are kept in int8.
inline constexpr int most_int8_head_size = 512;

/// What all tasks of one call of attention() have in common.
struct AttentionShape {
  KvLayout keys, values;  // of the blocks with the keys and with the values, of one type; slots are each segment's own
  int heads = 0;          // H: of the queries
  float scale = 0;
  float soft_cap = 0;  // of the scores (kernels/soft_cap.h); 0: none
};

/// out_i = sum_j softmax_j(s_ij) v_j with the scores s_ij = soft_capped(scale * q_i . k_j) for all tasks. Queries and
/// probabilities are rounded to bf16 where the cache is bf16. Where it is int8 (heads up to most_int8_head_size),
/// queries are rounded to 15 bits of their largest number, and probabilities times their values' scales to 15 bits of
/// the largest probability times the largest scale among 64 slots that the query sees. Sums are f32 (online softmax:
/// Milakov & Gimelshein 2018; tiles: Dao et al. 2022). Works on all threads: long prompts split into query tiles, few
/// long sequences into ranges of segments. Heads of a task that see the same keys and values are computed together.
void attention(const AttentionShape& shape, std::span<const AttentionTask> tasks, KernelScratch& scratch);

/// The same where keys and values lie in pairs.
inline void attention(const KvLayout& layout, int heads, float scale, std::span<const AttentionTask> tasks,
                      KernelScratch& scratch) {
  attention({layout, layout, heads, scale}, tasks, scratch);
}

/// The mean over heads of the entropy (nats) of each query's attention distribution, out [count] per task: DSLA's
/// measure (arXiv 2506.09316). Plain and slow: for analysis.
void attention_entropy(const AttentionShape& shape, const AttentionTask& task, float* out);

/// The definition, in double, of attention()'s outputs and weights; for tests. Same arguments, one thread.
void attention_reference(const AttentionShape& shape, std::span<const AttentionTask> tasks);
inline void attention_reference(const KvLayout& layout, int heads, float scale, std::span<const AttentionTask> tasks) {
  attention_reference({layout, layout, heads, scale}, tasks);
}

}  // namespace layerboost
