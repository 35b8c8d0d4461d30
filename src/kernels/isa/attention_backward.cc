// The gradient of attention for some query heads of one KV head over one sequence (FlashAttention, Dao et al. 2022,
// appendix B), in tiles of 64 keys by 64 queries that the mask leaves. Scores are computed transposed, keys by queries:
// then probabilities and slopes are already in the order in which the sums over queries (dV, dK) read them, and writing
// slopes in pairs along the keys gives the order for the sum over keys (dQ, transposed).
#include "kernels/isa/dot.h"
#include "kernels/isa/kernels.h"
#include "kernels/isa/pairs.h"
#include "kernels/isa/soft_cap.h"
#include "kernels/isa/transpose.h"

namespace layerboost::LB_ISA {
namespace {

constexpr int kTile = 64;            // keys and queries of a tile
constexpr int kMostKeys = 6;         // keys that are scored at once
constexpr float kNoQuery = 1.0e30f;  // the log-sum-exp of a query that isn't there: its probabilities are zero

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a > b ? a : b; }

/// Packed operands of a whole sequence; n' tokens, a multiple of kTile. A: a left operand; words: a right operand,
/// whose columns take four bytes each.
template <typename Dot>
struct Packed {
  int length, tiles, padded;               // n, n' / kTile, d'
  typename Dot::A *keys, *values;          // [n', d']
  typename Dot::A* keys_across;            // [n' / kTile][d'][kTile]
  float *queries_by_size, *douts_by_size;  // words [n' / kTile][d' / step][kTile]
  float *queries_by_row, *douts_by_row;    // words [n' / step][d']
  float* dq;                               // [n' / kTile][d'][kTile], transposed
  float *log_sums, *means;                 // [n']
  float *dk, *dv;                          // [kTile, d'] of the current keys
  float* slopes;                           // words [kTile / step][kTile]

  [[nodiscard]] std::ptrdiff_t tile_words() const { return static_cast<std::ptrdiff_t>(padded) * kTile / Dot::kStep; }
};

template <typename Dot>
Packed<Dot> lay_out(const AttentionBackward& task) {
  Packed<Dot> packed;
  packed.length = task.length;
  packed.tiles = (task.length + kTile - 1) / kTile;
  packed.padded = (task.head_size + 15) & ~15;
  float* memory = task.scratch;
  const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(packed.tiles) * kTile * packed.padded;
  const auto take = [&](std::ptrdiff_t floats) {
    float* const part = memory;
    memory += floats;
    return part;
  };
  packed.keys = reinterpret_cast<typename Dot::A*>(take(size));
  packed.values = reinterpret_cast<typename Dot::A*>(take(size));
  packed.keys_across = reinterpret_cast<typename Dot::A*>(take(size));
  packed.queries_by_size = take(size);
  packed.douts_by_size = take(size);
  packed.queries_by_row = take(size);
  packed.douts_by_row = take(size);
  packed.dq = take(size);
  packed.log_sums = take(static_cast<std::ptrdiff_t>(packed.tiles) * kTile);
  packed.means = take(static_cast<std::ptrdiff_t>(packed.tiles) * kTile);
  packed.dk = take(static_cast<std::ptrdiff_t>(packed.padded) * kTile);
  packed.dv = take(static_cast<std::ptrdiff_t>(packed.padded) * kTile);
  packed.slopes = take(kTile * kTile);
  return packed;
}

/// Copies a row of d numbers times `factor` into out [d'], zeros behind; zeros altogether for nullptr.
inline void fetch_row(const float* row, int size, float factor, int padded, float* out) {
  int j = 0;
  if (row != nullptr) {
    for (; j + kLanes <= size; j += kLanes) store(out + j, mul(load(row + j), splat(factor)));
    for (; j < size; ++j) out[j] = factor * row[j];
  }
  for (; j < padded; ++j) out[j] = 0;
}

/// Rows of left operands [kTile, d'] from a tile of rows of f32.
template <typename Dot>
void put_rows(const float* rows, int padded, typename Dot::A* out) {
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(kTile) * padded; i += kLanes)
    Dot::put(out + i, load(rows + i));
}

/// The left operand [d', kTile] across a tile of rows of f32 [kTile, d'].
template <typename Dot>
void put_across(const float* rows, int padded, typename Dot::A* out) {
  alignas(64) float words[kTile * kMostHeadSize];
  // Pairs of bf16 move as one word.
  constexpr int kPerWord = 4 / static_cast<int>(sizeof(typename Dot::A));
  for (int i = 0; i < kTile; i += kPerWord) {
    const float* const row = rows + static_cast<std::ptrdiff_t>(i) * padded;
    float* const to = words + static_cast<std::ptrdiff_t>(i / kPerWord) * padded;
    for (int c = 0; c < padded; c += kLanes) {
      if constexpr (kPerWord == 1) {
        Dot::put(reinterpret_cast<typename Dot::A*>(to) + c, load(row + c));
      } else {
        store_pairs(to + c, load(row + c), load(row + padded + c));
      }
    }
  }
  transpose(words, padded, kTile / kPerWord, padded, reinterpret_cast<float*>(out), kTile / kPerWord);
}

/// Both orders of right operands from a tile of rows of f32 [kTile, d'].
template <typename Dot>
void put_words_of(const float* rows, int padded, float* by_size, float* by_row) {
  alignas(64) float words[kTile * kMostHeadSize];
  const int width = padded / Dot::kStep;
  for (int i = 0; i < kTile; ++i) {
    const float* const row = rows + static_cast<std::ptrdiff_t>(i) * padded;
    put_row_words<Dot>(row, padded, words + static_cast<std::ptrdiff_t>(i) * width);
    if (i % Dot::kStep != 0) continue;
    float* const to = by_row + static_cast<std::ptrdiff_t>(i / Dot::kStep) * padded;
    for (int c = 0; c < padded; c += kLanes) put_words<Dot>(row, padded, c, to + c);
  }
  transpose(words, width, kTile, width, by_size, kTile);
}

template <typename Dot>
void pack_keys(const AttentionBackward& task, const Packed<Dot>& packed) {
  alignas(64) float keys[kTile * kMostHeadSize], values[kTile * kMostHeadSize];
  const int padded = packed.padded;
  for (int tile = 0; tile < packed.tiles; ++tile) {
    for (int j = 0; j < kTile; ++j) {
      const int row = tile * kTile + j;
      const std::ptrdiff_t from = row * task.kv_stride, to = static_cast<std::ptrdiff_t>(j) * padded;
      fetch_row(row < packed.length ? task.k + from : nullptr, task.head_size, 1, padded, keys + to);
      fetch_row(row < packed.length ? task.v + from : nullptr, task.head_size, 1, padded, values + to);
    }
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(tile) * kTile * padded;
    put_rows<Dot>(keys, padded, packed.keys + at);
    put_across<Dot>(keys, padded, packed.keys_across + at);
    put_rows<Dot>(values, padded, packed.values + at);
  }
}

/// The queries of head r, times scale log2(e), and their output gradients; log-sums, and
/// D_i = dout_i . out_i less the gradient of the log-sum.
template <typename Dot>
void pack_queries(const AttentionBackward& task, int r, const Packed<Dot>& packed) {
  alignas(64) float queries[kTile * kMostHeadSize], douts[kTile * kMostHeadSize], out[kMostHeadSize];
  const int padded = packed.padded;
  for (int tile = 0; tile < packed.tiles; ++tile) {
    for (int i = 0; i < kTile; ++i) {
      const int row = tile * kTile + i;
      const std::ptrdiff_t from = row * task.q_stride + r * task.head_size,
                           to = static_cast<std::ptrdiff_t>(i) * padded;
      const bool there = row < packed.length;
      fetch_row(there ? task.q + from : nullptr, task.head_size, task.scale * kLog2E, padded, queries + to);
      fetch_row(there ? task.dout + from : nullptr, task.head_size, 1, padded, douts + to);
      fetch_row(there ? task.out + from : nullptr, task.head_size, 1, padded, out);
      Vec mean = splat(0);
      for (int c = 0; c < padded; c += kLanes) mean = fma(load(douts + to + c), load(out + c), mean);
      const std::ptrdiff_t at = row * task.log_stride + r;
      packed.means[row] = sum(mean) - (there && task.dlog_sums != nullptr ? task.dlog_sums[at] : 0.0f);
      packed.log_sums[row] = there ? task.log_sums[at] : kNoQuery;
    }
    const std::ptrdiff_t at = tile * packed.tile_words();
    put_words_of<Dot>(queries, padded, packed.queries_by_size + at, packed.queries_by_row + at);
    put_words_of<Dot>(douts, padded, packed.douts_by_size + at, packed.douts_by_row + at);
  }
}

/// to += factor * from, n numbers.
inline void add_scaled(float* to, const float* from, float factor, int n) {
  int c = 0;
  for (; c + kLanes <= n; c += kLanes) store(to + c, fma(load(from + c), splat(factor), load(to + c)));
  for (; c < n; ++c) to[c] += factor * from[c];
}

template <typename Dot>
void add_dq(const AttentionBackward& task, int r, const Packed<Dot>& packed) {
  alignas(64) float rows[kTile * kMostHeadSize];
  for (int i = 0; i < packed.length; ++i) {
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(kTile) * packed.padded;
    if (i % kTile == 0) transpose(packed.dq + i / kTile * size, kTile, packed.padded, kTile, rows, packed.padded);
    add_scaled(task.dq + i * task.q_stride + r * task.head_size, rows + i % kTile * packed.padded, task.scale,
               task.head_size);
  }
}

/// Which queries see a key, as positions first .. last.
struct Sight {
  float first, last;
};

inline Sight sight_of(const AttentionBackward& task, int key) {
  const bool always = task.window == 0 || key < task.sinks;
  return {static_cast<float>(key), always ? 1.0e9f : static_cast<float>(key + task.window - 1)};
}

/// Whether every query of a tile sees every one of some keys.
inline bool all_seen(const AttentionBackward& task, int first_key, int last_key, int first_query) {
  const bool near = task.window == 0 || first_query + kTile - 1 - first_key < task.window || last_key < task.sinks;
  return first_query >= last_key && near;
}

/// Scores of `keys` keys [keys, kTile] into probabilities and slopes: p = 2^(s - L), slope = p (dp - D); where kCapped,
/// s is what task.soft_cap makes of the score, and the slope is times its slope.
template <typename Dot, bool kCapped>
void slopes_of(const AttentionBackward& task, const Packed<Dot>& packed, int first_key, int keys, int first_query,
               const float* scores, const float* dprobabilities, typename Dot::A* probabilities,
               typename Dot::A* slopes, float* slope_words) {
  const bool whole = all_seen(task, first_key, first_key + keys - 1, first_query);
  const Vec lanes = add(load(kCounting), splat(static_cast<float>(first_query)));
  const SoftCap cap(kCapped ? task.soft_cap : 1, kLog2E);
  for (int key = 0; key < keys; key += Dot::kStep) {
    for (int c = 0; c < kTile; c += kLanes) {
      const Vec log_sums = load(packed.log_sums + first_query + c), means = load(packed.means + first_query + c);
      Vec slope[2] = {splat(0), splat(0)};
      for (int step = 0; step < Dot::kStep && key + step < keys; ++step) {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(key + step) * kTile + c;
        const Vec score = load(scores + at), share = kCapped ? cap.share(score) : score;
        Vec p = exp2(sub(kCapped ? cap.of(share) : score, log_sums));
        if (!whole) {
          const Sight sight = sight_of(task, first_key + key + step);
          p = keep_between(p, add(lanes, splat(static_cast<float>(c))), splat(sight.first), splat(sight.last));
        }
        slope[step] = mul(p, sub(load(dprobabilities + at), means));
        if constexpr (kCapped) slope[step] = mul(slope[step], SoftCap::slope(share));
        Dot::put(probabilities + at, p);
        Dot::put(slopes + at, slope[step]);
      }
      put_vector_words<Dot>(slope[0], slope[1],
                            slope_words + static_cast<std::ptrdiff_t>(key / Dot::kStep) * kTile + c);
    }
  }
}

template <typename Dot>
void multiply(int rows, int cols, const typename Dot::A* a, std::ptrdiff_t a_stride, const float* b,
              std::ptrdiff_t b_stride, int steps, float* c, std::ptrdiff_t c_stride, bool accumulate) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(b);
  product<Dot>(rows, cols / kLanes, a, a_stride, bytes, b_stride * 4, steps, c, c_stride, accumulate, bytes);
}

/// Keys begin .. end - 1 of a tile of keys (begin even) with a tile of queries.
template <typename Dot>
void backward_tile(const AttentionBackward& task, const Packed<Dot>& packed, int key_tile, int begin, int end,
                   int query_tile) {
  alignas(64) float scores[kMostKeys * kTile], dprobabilities[kMostKeys * kTile];
  alignas(64) typename Dot::A probabilities[kMostKeys * kTile], slopes[kMostKeys * kTile];
  const int padded = packed.padded, first_query = query_tile * kTile;
  const float* const queries = packed.queries_by_size + query_tile * packed.tile_words();
  const float* const douts = packed.douts_by_size + query_tile * packed.tile_words();
  const std::ptrdiff_t by_row = query_tile * packed.tile_words();
  for (int key = begin; key < end; key += Dot::kRows) {
    const int keys = smaller(Dot::kRows, end - key), first_key = key_tile * kTile + key;
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(first_key) * padded;
    multiply<Dot>(keys, kTile, packed.keys + row, padded, queries, kTile, padded / Dot::kStep, scores, kTile, false);
    multiply<Dot>(keys, kTile, packed.values + row, padded, douts, kTile, padded / Dot::kStep, dprobabilities, kTile,
                  false);
    const auto slopes_of_keys = task.soft_cap > 0 ? slopes_of<Dot, true> : slopes_of<Dot, false>;
    slopes_of_keys(task, packed, first_key, keys, first_query, scores, dprobabilities, probabilities, slopes,
                   packed.slopes + static_cast<std::ptrdiff_t>(key / Dot::kStep) * kTile);
    const std::ptrdiff_t sum = static_cast<std::ptrdiff_t>(key) * padded;
    multiply<Dot>(keys, padded, probabilities, kTile, packed.douts_by_row + by_row, padded, kTile / Dot::kStep,
                  packed.dv + sum, padded, true);
    multiply<Dot>(keys, padded, slopes, kTile, packed.queries_by_row + by_row, padded, kTile / Dot::kStep,
                  packed.dk + sum, padded, true);
  }
  const typename Dot::A* const across = packed.keys_across + static_cast<std::ptrdiff_t>(key_tile) * kTile * padded;
  float* const dq = packed.dq + static_cast<std::ptrdiff_t>(query_tile) * kTile * padded;
  for (int c = 0; c < padded; c += Dot::kRows) {
    multiply<Dot>(smaller(Dot::kRows, padded - c), kTile, across + c * kTile + begin, kTile,
                  packed.slopes + static_cast<std::ptrdiff_t>(begin / Dot::kStep) * kTile, kTile,
                  (end - begin + Dot::kStep - 1) / Dot::kStep, dq + static_cast<std::ptrdiff_t>(c) * kTile, kTile,
                  true);
  }
}

/// All queries that see a tile of keys.
template <typename Dot>
void backward_keys(const AttentionBackward& task, const Packed<Dot>& packed, int key_tile) {
  const int first_key = key_tile * kTile, keys = smaller(kTile, packed.length - first_key), padded = packed.padded;
  const int sinks = larger(0, smaller(task.sinks - first_key, keys));
  for (int i = 0; i < kTile * padded; ++i) packed.dk[i] = packed.dv[i] = 0;
  for (int tile = key_tile; tile < packed.tiles; ++tile) {
    const int out_of_window = task.window == 0 ? 0 : larger(0, tile * kTile - task.window + 1 - first_key) & ~1;
    if (out_of_window <= sinks) {
      backward_tile<Dot>(task, packed, key_tile, 0, keys, tile);
      continue;
    }
    if (sinks > 0) backward_tile<Dot>(task, packed, key_tile, 0, sinks, tile);
    if (out_of_window < keys) backward_tile<Dot>(task, packed, key_tile, out_of_window, keys, tile);
    if (sinks == 0 && out_of_window >= keys) break;
  }
  for (int j = 0; j < keys; ++j) {
    const std::ptrdiff_t to = (first_key + j) * task.dkv_stride, from = static_cast<std::ptrdiff_t>(j) * padded;
    add_scaled(task.dk + to, packed.dk + from, 1 / kLog2E, task.head_size);  // queries are times scale log2(e)
    add_scaled(task.dv + to, packed.dv + from, 1, task.head_size);
  }
}

template <typename Dot>
void backward_as(const AttentionBackward& task) {
  const Packed<Dot> packed = lay_out<Dot>(task);
  const int padded = packed.padded;
  pack_keys<Dot>(task, packed);
  for (int r = 0; r < task.heads; ++r) {
    pack_queries<Dot>(task, r, packed);
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(packed.tiles) * kTile * padded; ++i) packed.dq[i] = 0;
    for (int tile = 0; tile < packed.tiles; ++tile) backward_keys<Dot>(task, packed, tile);
    add_dq(task, r, packed);
  }
}

void backward(const AttentionBackward& task) {
  if (task.bf16) {
    backward_as<DotBf16>(task);
  } else {
    backward_as<DotF32>(task);
  }
}

}  // namespace

const AttentionTrainingKernels attention_training_kernels = {backward};

}  // namespace layerboost::LB_ISA
