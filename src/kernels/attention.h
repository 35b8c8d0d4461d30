// Softmax attention of queries over blocks of cached keys and values: prompt chunks in tiles, single new tokens split
// over sequences and heads. Softmax layers and windows with sinks (LayerBoost's middle tier) use the same
// kernel; they differ in which blocks they pass and how far a query looks back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/kv_segment.h"

namespace layerboost {

/// How a block of `slots` positions keeps its keys and values. Per KV head, one after another: K, then V, with d' = d
/// rounded up to a multiple of 16 (the padding is zero) and slots a multiple of 16:
///   bf16: K [d'/2][slots][2], V [slots/2][d'][2]     pairs lie together as dot-product instructions want them
///   f32:  K [d'][slots],      V [slots][d']
///   int8: as bf16, each number a byte; then the scales of the slots' keys [slots] and of their values [slots] in bf16:
///         a number is its byte times its slot's scale, the largest of a key or value +-127
/// A block must be zeroed (clear_kv) before its first use, so that unused slots hold numbers.
struct KvLayout {
  KvType type = KvType::bf16;
  int kv_heads = 0;   // G
  int head_size = 0;  // d
  int slots = 0;

  [[nodiscard]] int padded_head() const { return (head_size + 15) / 16 * 16; }
  [[nodiscard]] std::size_t element() const { return type == KvType::f32 ? 4 : type == KvType::bf16 ? 2 : 1; }
  /// Bytes of the scales of one slot's key and value.
  [[nodiscard]] std::size_t scales() const { return type == KvType::int8 ? 4 : 0; }
  /// Bytes of one slot's key and value of one head.
  [[nodiscard]] std::size_t slot_bytes() const {
    return 2 * element() * static_cast<std::size_t>(padded_head()) + scales();
  }
  [[nodiscard]] std::size_t head_bytes() const { return slot_bytes() * static_cast<std::size_t>(slots); }
  [[nodiscard]] std::size_t bytes() const { return head_bytes() * static_cast<std::size_t>(kv_heads); }
};

void clear_kv(const KvLayout& layout, std::byte* block);

/// Writes `count` consecutive positions into slots first_slot .. first_slot + count - 1. k, v: [count, G, d] f32, rows
/// `stride` floats apart. Runs on the caller's thread.
void store_kv(const KvLayout& layout, std::byte* block, int first_slot, int count, const float* k, const float* v,
              std::ptrdiff_t stride);

/// Reads one slot back (for tests and for moving tokens between caches): k, v [G, d] f32.
void load_kv(const KvLayout& layout, const std::byte* block, int slot, float* k, float* v);

/// Copies one slot's keys and values, bit by bit, to a slot of another block. Requires: layouts that differ in their
/// slots only.
void move_kv(const KvLayout& from, const std::byte* source, int from_slot, const KvLayout& to, std::byte* target,
             int to_slot);

/// The queries of one sequence in one step: positions first_position .. first_position + count - 1.
/// Query i sees a key at position j if j <= i, and i - j < window or window == 0 or the segment is pinned.
/// Every query must see at least one key. Segments must not show one position twice.
struct AttentionTask {
  const float* q = nullptr;  // [count, H, d]
  float* out = nullptr;      // [count, H, d]
  int count = 0;
  int first_position = 0;
  int window = 0;
  std::span<const KvSegment> segments;
  float* log_sums = nullptr;  // nullptr, or [count, H]: for log2 of each query's sum over keys of e^(scale q . k)
  float* maxima = nullptr;    // nullptr, or [count, H]: for the largest scale q . k times log2(e)
};

/// out_i = sum_j softmax_j(scale * q_i . k_j) v_j for all tasks, query head n using KV head n / (H / G). Queries and
/// probabilities are rounded to bf16 where the cache is bf16. Where it is int8 (head sizes up to 512), queries are
/// rounded to 15 bits of their largest number, and probabilities times their values' scales to 15 bits of the largest
/// probability times the largest scale among 64 slots that the query sees. Sums are f32 (online softmax: Milakov &
/// Gimelshein 2018; tiles: Dao et al. 2022). Works on all threads: long prompts split into query tiles, few long
/// sequences into ranges of segments. `layout.slots` is ignored: each segment has its own.
void attention(const KvLayout& layout, int heads, float scale, std::span<const AttentionTask> tasks);

/// The mean over heads of the entropy (nats) of each query's attention distribution, out [count] per task: DSLA's
/// measure (arXiv 2506.09316). Plain and slow: for analysis.
void attention_entropy(const KvLayout& layout, int heads, float scale, const AttentionTask& task, float* out);

/// The definition, in double, of attention(); for tests. Same arguments, one thread.
void attention_reference(const KvLayout& layout, int heads, float scale, std::span<const AttentionTask> tasks);

}  // namespace layerboost
