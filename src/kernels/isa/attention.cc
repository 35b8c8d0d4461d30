// One tile of attention: online softmax (Milakov & Gimelshein 2018) over groups of slots, a few rows at a time, so that
// scores and probabilities stay in L1. Scores are kept times log2(e), for 2^x in place of e^x.
#include "kernels/isa/dot.h"
#include "kernels/isa/kernels.h"
#include "kernels/isa/soft_cap.h"
#include "kernels/isa/tail.h"

namespace layerboost::LB_ISA {
namespace {

constexpr int kGroup = 64;    // slots that are scored at once
constexpr int kMostRows = 6;  // rows that are scored at once
static_assert(kMostRows <= kLanes);
constexpr float kUnseen = kUnseenScore;
constexpr float kSlack = 8.0f;   // probabilities may reach 2^kSlack before the maximum is moved
constexpr int kEverywhere = -1;  // no position lies at or below

inline int smaller(int a, int b) { return a < b ? a : b; }
inline int larger(int a, int b) { return a > b ? a : b; }
inline int round_down16(int n) { return n & ~15; }
inline int round_up16(int n) { return (n + 15) & ~15; }

/// What a tile keeps between groups of slots.
template <typename Dot>
struct State {
  int rows;                      // tokens * R
  int padded_key, padded_value;  // d'
  typename Dot::A* queries;      // [rows, d']
  float* query_factors;          // [rows]: what a query's numbers stand for, where Dot::kScaled
  float* out;                    // [rows, d']
  float* sums;                   // [rows, 16]: each lane's share
  float* maxima;                 // [rows]
  float* largest;                // [rows, 16]: each lane's largest score; nullptr: not asked for
};

/// Up to kGroup consecutive slots of a segment.
struct Group {
  const std::byte *keys, *values;
  const std::byte *keys_ahead, *values_ahead;  // what is read next
  std::ptrdiff_t key_stride;                   // bytes between steps
  int filled;
  bool consecutive, pinned;
  int least, least_seen, most;                                 // of the positions; least_seen leaves negative ones out
  alignas(64) std::int32_t positions[kGroup];                  // -1 where not filled
  alignas(64) float key_scales[kGroup], value_scales[kGroup];  // of int8
};

/// Which of a group's slots some rows look at.
struct Range {
  int begin, end;  // multiples of 16; empty if begin >= end
  bool whole;      // every row sees every slot
};

/// A query at position p sees positions in (lower_end(p), p].
inline int lower_end(int position, int window, bool pinned) {
  return window == 0 || pinned ? kEverywhere : larger(position - window, kEverywhere);
}

inline void fill_positions(const KvSegment& segment, int first_slot, Group& group) {
  group.consecutive = segment.positions == nullptr;
  group.least = group.least_seen = 0x7fffffff;
  group.most = -1;
  if (group.consecutive) {
    const int first = segment.first_position + first_slot;
    for (int i = 0; i < kGroup; ++i) group.positions[i] = i < group.filled ? first + i : -1;
    group.least = group.least_seen = first;
    group.most = first + group.filled - 1;
    return;
  }
  for (int i = 0; i < group.filled; ++i) {
    const int position = segment.positions[first_slot + i];
    group.positions[i] = position;
    group.least = smaller(group.least, position);
    if (position >= 0) group.least_seen = smaller(group.least_seen, position);
    group.most = larger(group.most, position);
  }
  for (int i = group.filled; i < kGroup; ++i) group.positions[i] = -1;
}

/// Returns the slots that queries at positions first .. last look at.
inline Range seen_range(const Group& group, int first, int last, int window) {
  const int low_first = lower_end(first, window, group.pinned), low_last = lower_end(last, window, group.pinned);
  if (group.most <= low_first || group.least_seen > last) return {0, 0, false};
  Range range = {0, round_up16(group.filled), false};
  if (group.consecutive) {
    range.begin = round_down16(larger(low_first + 1 - group.least, 0));
    range.end = round_up16(smaller(group.filled, last + 1 - group.least));
    range.whole =
        range.end <= group.filled && group.least + range.begin > low_last && group.least + range.end - 1 <= first;
  } else {
    range.whole = range.end == group.filled && group.least > low_last && group.most <= first;
  }
  return range;
}

#if defined(__AVX512F__)
/// scores where low < position <= high, kUnseen elsewhere.
inline Vec masked(Vec scores, const std::int32_t* positions, int low, int high) {
  const __m512i at = _mm512_loadu_si512(positions);
  const __mmask16 seen =
      _mm512_cmpgt_epi32_mask(at, _mm512_set1_epi32(low)) & _mm512_cmple_epi32_mask(at, _mm512_set1_epi32(high));
  return _mm512_mask_blend_ps(seen, _mm512_set1_ps(kUnseen), scores);
}
#else
inline Vec masked(Vec scores, const std::int32_t* positions, int low, int high) {
  const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(positions));
  const __m256i above = _mm256_cmpgt_epi32(at, _mm256_set1_epi32(low));
  const __m256i beyond = _mm256_cmpgt_epi32(at, _mm256_set1_epi32(high));
  const Vec seen = _mm256_castsi256_ps(_mm256_andnot_si256(beyond, above));
  return _mm256_blendv_ps(_mm256_set1_ps(kUnseen), scores, seen);
}
#endif

/// Moves a row's maximum up to `maximum` and scales what was summed under the old one.
template <typename Dot>
void raise_maximum(State<Dot>& state, int row, float maximum) {
  const Vec factor = exp2(splat(state.maxima[row] - maximum));
  state.maxima[row] = maximum;
  float* out = state.out + static_cast<std::ptrdiff_t>(row) * state.padded_value;
  for (int j = 0; j < state.padded_value; j += kLanes) store(out + j, mul(load(out + j), factor));
  float* sums = state.sums + static_cast<std::ptrdiff_t>(row) * 16;
  store(sums, mul(load(sums), factor));
}

/// What makes whole numbers of 16 bits of numbers of sizes up to `top`.
inline float inverse_unit(float top) {
  // Below this it would overflow; such numbers count as zero.
  return top < 1e-30f ? 0.0f : DotInt8::kMost / top;
}

/// Rounds numbers [n] of sizes up to the largest in `most` to whole ones; returns the factor that they then have.
inline float put_scaled(DotInt8::A* to, const float* from, int n, Vec most) {
  const float top = largest(most);
  const Vec inverse = splat(inverse_unit(top));
  for (int j = 0; j < n; j += kLanes) DotInt8::put(to + j, mul(load(from + j), inverse));
  return top / DotInt8::kMost;
}

/// Makes a row's scores [n] final: times the keys' scales, where Dot::kScaled; capped by soft_cap, where kCapped;
/// kUnseen where the row doesn't look. Returns the largest.
template <typename Dot, bool kCapped = false>
inline Vec finish_scores(const Group& group, const Range& range, int low, int high, int n, float* scores,
                         float soft_cap = 1) {
  const SoftCap cap(soft_cap, kLog2E);
  Vec most = splat(kUnseen);
  for (int j = 0; j < n; j += kLanes) {
    Vec score = load(scores + j);
    if constexpr (Dot::kScaled) score = mul(score, load(group.key_scales + range.begin + j));
    if constexpr (kCapped) score = cap.of(cap.share(score));
    if (!range.whole) score = masked(score, group.positions + range.begin + j, low, high);
    if (Dot::kScaled || kCapped || !range.whole) store(scores + j, score);
    most = max(most, score);
  }
  return most;
}

/// The same with a cap, out of the way of models that have none.
template <typename Dot>
[[gnu::noinline]] Vec finish_capped_scores(const Group& group, const Range& range, int low, int high, int n,
                                           float* scores, float soft_cap) {
  return finish_scores<Dot, true>(group, range, low, high, n, scores, soft_cap);
}

/// The scales of the values that a row sees, n from the range's first, in the unit in which the largest is
/// DotInt8::kMost: what the row doesn't see must not change its result.
struct ValueScales {
  alignas(64) float scales[kGroup];
  float unit;

  void fill(const Group& group, const Range& range, int low, int high, int n) {
    Vec most = splat(0);
    for (int j = 0; j < n; j += kLanes) {
      Vec scale = load(group.value_scales + range.begin + j);
      if (!range.whole) scale = max(masked(scale, group.positions + range.begin + j, low, high), splat(0));
      store(scales + j, scale);
      most = max(most, scale);
    }
    const float top = largest(most);
    const Vec inverse = splat(inverse_unit(top));
    for (int j = 0; j < n; j += kLanes) store(scales + j, mul(load(scales + j), inverse));
    unit = top / DotInt8::kMost;
  }
};

/// probabilities = 2^(scores - base), where Dot::kScaled times value_scales; all [n]. Returns each lane's sum of them
/// without value_scales.
template <typename Dot>
Vec exponentials(const float* scores, float base, int n, const float* value_scales, typename Dot::A* probabilities) {
  Vec sum = splat(0);
  for (int j = 0; j < n; j += kLanes) {
    const Vec p = exp2_of_finite(sub(load(scores + j), splat(base)));
    sum = add(sum, p);
    if constexpr (Dot::kScaled) {
      Dot::put(probabilities + j, mul(p, load(value_scales + j)));
    } else {
      Dot::put(probabilities + j, p);
    }
  }
  return sum;
}

/// Returns where a row's result lies among a tile's [tokens, A].
inline std::ptrdiff_t place_of(const AttentionTile& tile, int row) {
  return static_cast<std::ptrdiff_t>(row / tile.heads) * tile.out_heads + tile.list[row % tile.heads].out;
}

/// Leaves a row's scores [n] of the positions that it sees.
[[gnu::noinline]] void export_scores(const AttentionTile& tile, const Group& group, const Range& range, int row,
                                     int low, int high, int n, const float* scores) {
  float* const weights = tile.weights + place_of(tile, row) * tile.weights_size;
  for (int j = 0; j < n; ++j) {
    const int position = group.positions[range.begin + j];
    if (position > low && position <= high) weights[position] = scores[j];
  }
}

/// Turns the scores [rows, kGroup] of rows first_row .. first_row + rows - 1 into probabilities, n of each row, up to
/// the factors that the rows' maxima stand for, and where Dot::kScaled in units of factors [rows].
///
/// Numbers of 16 bits are relative to the row's largest score of this group, those of other types to its maximum so
/// far.
template <typename Dot>
void softmax(const AttentionTile& tile, State<Dot>& state, const Group& group, const Range& range, int first_row,
             int rows, int n, float* scores, typename Dot::A* probabilities, float* factors) {
  alignas(64) float largest_scores[16] = {}, bases[16] = {};
  const auto last_seen = [&](int row) { return tile.first_position + row / tile.heads; };
  for (int r = 0; r < rows; ++r) {
    const int row = first_row + r;
    const int high = last_seen(row), low = lower_end(high, tile.window, group.pinned);
    float* const own = scores + r * kGroup;
    const Vec most = tile.soft_cap > 0 ? finish_capped_scores<Dot>(group, range, low, high, n, own, tile.soft_cap)
                                       : finish_scores<Dot>(group, range, low, high, n, own);
    if (tile.weights != nullptr) export_scores(tile, group, range, row, low, high, n, own);
    if (state.largest != nullptr) {
      float* lanes = state.largest + static_cast<std::ptrdiff_t>(row) * 16;
      store(lanes, max(load(lanes), most));
    }
    largest_scores[r] = largest(most);
    if (largest_scores[r] > state.maxima[row] + kSlack) raise_maximum(state, row, largest_scores[r]);
    // While a row has seen nothing, its unseen scores must not become 2^0.
    bases[r] = state.maxima[row] == kUnseen ? 0.0f : state.maxima[row];
  }
  alignas(64) float shares[16];  // of what is relative to largest_scores, in what is relative to bases
  if constexpr (Dot::kScaled) store(shares, exp2_of_finite(sub(load(largest_scores), load(bases))));
  ValueScales values;
  for (int r = 0; r < rows; ++r) {
    const int row = first_row + r;
    if constexpr (Dot::kScaled) {
      const int high = last_seen(row), low = lower_end(high, tile.window, group.pinned);
      if (r == 0 || (!range.whole && row % tile.heads == 0)) values.fill(group, range, low, high, n);
      factors[r] = shares[r] * values.unit;
    }
    const Vec sum = exponentials<Dot>(scores + r * kGroup, Dot::kScaled ? largest_scores[r] : bases[r], n,
                                      values.scales, probabilities + r * kGroup);
    float* sums = state.sums + static_cast<std::ptrdiff_t>(row) * 16;
    store(sums, fma(sum, splat(Dot::kScaled ? shares[r] : 1.0f), load(sums)));
  }
}

/// Rows first_row .. first_row + rows - 1 over one group.
template <typename Dot>
void attend_rows(const AttentionTile& tile, State<Dot>& state, const Group& group, int first_row, int rows,
                 bool ahead) {
  const auto position_of = [&](int row) { return tile.first_position + row / tile.heads; };
  const Range range = seen_range(group, position_of(first_row), position_of(first_row + rows - 1), tile.window);
  if (range.begin >= range.end) return;

  alignas(64) float scores[kMostRows * kGroup];
  alignas(64) typename Dot::A probabilities[kMostRows * kGroup];
  float factors[kMostRows];
  const int n = range.end - range.begin;
  const std::byte* keys = group.keys + range.begin * Dot::kColumn;
  product<Dot>(rows, n / kLanes, state.queries + static_cast<std::ptrdiff_t>(first_row) * state.padded_key,
               state.padded_key, keys, group.key_stride, state.padded_key / Dot::kStep, scores, kGroup, false,
               ahead ? group.keys_ahead + range.begin * Dot::kColumn : keys, state.query_factors + first_row);

  // The usual group by its own copy of the code, for loops of known length.
  if (range.whole && n == kGroup) {
    softmax<Dot>(tile, state, group, {0, kGroup, true}, first_row, rows, kGroup, scores, probabilities, factors);
  } else {
    softmax<Dot>(tile, state, group, range, first_row, rows, n, scores, probabilities, factors);
  }

  const std::ptrdiff_t value_stride = static_cast<std::ptrdiff_t>(state.padded_value) * Dot::kColumn;
  const std::ptrdiff_t skipped = range.begin / Dot::kStep * value_stride;
  const std::byte* values = group.values + skipped;
  const std::byte* values_ahead = ahead ? group.values_ahead + skipped : values;
  product<Dot>(rows, state.padded_value / kLanes, probabilities, kGroup, values, value_stride, n / Dot::kStep,
               state.out + static_cast<std::ptrdiff_t>(first_row) * state.padded_value, state.padded_value, true,
               values_ahead, factors);
}

template <typename Dot>
State<Dot> begin_tile(const AttentionTile& tile) {
  const int rows = tile.tokens * tile.heads, padded = round_up16(tile.keys.head_size);
  const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(rows) * padded;
  float* memory = tile.scratch;
  State<Dot> state;
  state.rows = rows;
  state.padded_key = padded;
  state.padded_value = round_up16(tile.values.head_size);
  const std::ptrdiff_t out_size = static_cast<std::ptrdiff_t>(rows) * larger(padded, state.padded_value);
  state.queries = reinterpret_cast<typename Dot::A*>(memory);
  state.out = memory + size;
  state.sums = state.out + out_size;
  float* const largest = state.sums + static_cast<std::ptrdiff_t>(rows) * 16;
  state.largest = tile.track_maxima ? largest : nullptr;
  state.maxima = largest + static_cast<std::ptrdiff_t>(rows) * 16;
  state.query_factors = state.maxima + rows;

  const Vec factor = splat(tile.scale * kLog2E);
  for (int row = 0; row < rows; ++row) {
    const int at = row / tile.heads * tile.query_heads + tile.list[row % tile.heads].query;
    const float* q = tile.q + static_cast<std::ptrdiff_t>(at) * tile.keys.head_size;
    typename Dot::A* query = state.queries + static_cast<std::ptrdiff_t>(row) * padded;
    float* scaled = state.out + static_cast<std::ptrdiff_t>(row) * padded;  // free until it is cleared below
    Vec most = splat(0);
    for (int j = 0; j < padded; j += kLanes) {
      const int left = tile.keys.head_size - j;
      const Vec part = left >= kLanes ? load(q + j) : left > 0 ? load(tail_of(q + j, left).values) : splat(0);
      const Vec number = mul(part, factor);
      if constexpr (Dot::kScaled) {
        most = max(most, abs(number));
        store(scaled + j, number);
      } else {
        Dot::put(query + j, number);
      }
    }
    if constexpr (Dot::kScaled) state.query_factors[row] = put_scaled(query, scaled, padded, most);
    state.maxima[row] = kUnseen;
  }
  for (std::ptrdiff_t i = 0; i < out_size; i += kLanes) store(state.out + i, splat(0));
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(rows) * 16; i += kLanes) {
    store(state.sums + i, splat(0));
    store(largest + i, splat(kUnseen));
  }
  return state;
}

/// AVX2's vectors fill only half of the lanes.
template <typename Dot>
float largest_score(const State<Dot>& state, int row) {
  return largest(load(state.largest + static_cast<std::ptrdiff_t>(row) * 16));
}

void finish_weights(float* weights, std::ptrdiff_t n, float log_sum) {
  const Vec offset = splat(log_sum);
  std::ptrdiff_t j = 0;
  for (; j + kLanes <= n; j += kLanes) store(weights + j, exp2(sub(load(weights + j), offset)));
  if (j == n) return;
  const int left = static_cast<int>(n - j);
  Tail<float> tail = tail_of(weights + j, left);
  store(tail.values, exp2(sub(load(tail.values), offset)));
  put_tail(tail, left, weights + j);
}

template <typename Dot>
void end_tile(const AttentionTile& tile, const State<Dot>& state) {
  const int head_size = tile.values.head_size;
  for (int row = 0; row < state.rows; ++row) {
    const float* summed = state.out + static_cast<std::ptrdiff_t>(row) * state.padded_value;
    const float total = sum(load(state.sums + static_cast<std::ptrdiff_t>(row) * 16));
    if (tile.partial != nullptr) {
      float* out = tile.partial + static_cast<std::ptrdiff_t>(row) * state.padded_value;
      for (int j = 0; j < state.padded_value; j += kLanes) store(out + j, load(summed + j));
      float* rest = tile.partial + static_cast<std::ptrdiff_t>(state.rows) * state.padded_value;
      rest[row] = state.maxima[row];
      rest[state.rows + row] = total;
      if (state.largest != nullptr) rest[2 * state.rows + row] = largest_score(state, row);
      continue;
    }
    const std::ptrdiff_t at = place_of(tile, row);
    if (tile.log_sums != nullptr) tile.log_sums[at] = state.maxima[row] + __builtin_log2f(total);
    if (tile.maxima != nullptr) tile.maxima[at] = largest_score(state, row);
    if (tile.weights != nullptr) {
      finish_weights(tile.weights + at * tile.weights_size, tile.weights_size,
                     state.maxima[row] + __builtin_log2f(total));
    }
    float* out = tile.out + at * head_size;
    const Vec factor = splat(1.0f / total);
    int j = 0;
    for (; j + kLanes <= head_size; j += kLanes) store(out + j, mul(load(summed + j), factor));
    for (; j < head_size; ++j) out[j] = summed[j] / total;
  }
}

/// Where the keys and values of one head of a segment begin, and (int8) their slots' scales.
struct HeadPlaces {
  const std::byte *keys = nullptr, *values = nullptr;
  const std::byte *key_scales = nullptr, *value_scales = nullptr;
};

inline HeadPlaces places_of(const AttentionTile& tile, const KvSegment& segment, const AttentionReads& reads) {
  const std::ptrdiff_t slots = segment.slots;
  const std::byte* const keys = segment.block + slots * tile.keys.stride * reads.key_head;
  const std::byte* const values =
      (segment.values == nullptr ? segment.block : segment.values) + slots * tile.values.stride * reads.value_head;
  return {keys + slots * tile.keys.data, values + slots * tile.values.data, keys + slots * tile.keys.scales,
          values + slots * tile.values.scales};
}

inline void fetch(const std::byte* from, std::ptrdiff_t bytes) {
  for (std::ptrdiff_t byte = 0; byte < bytes; byte += 64)
    _mm_prefetch(reinterpret_cast<const char*>(from + byte), _MM_HINT_T0);
}

/// Reads the scales of a group's slots, and asks for those of the page that is read next.
inline void fill_scales(const HeadPlaces& places, const HeadPlaces& ahead, int slots, int first_slot, Group& group) {
  const auto* keys = reinterpret_cast<const std::uint16_t*>(places.key_scales) + first_slot;
  const auto* values = reinterpret_cast<const std::uint16_t*>(places.value_scales) + first_slot;
  for (int j = 0; j < smaller(kGroup, slots - first_slot); j += kLanes) {
    store(group.key_scales + j, load_bf16(keys + j));
    store(group.value_scales + j, load_bf16(values + j));
  }
  if (ahead.keys == nullptr) return;
  fetch(ahead.key_scales, 2 * kGroup);
  fetch(ahead.value_scales, 2 * kGroup);
}

/// The page of kGroup slots after segment s, in this tile or in what is read after it; without keys: none.
inline HeadPlaces page_after(const AttentionTile& tile, int s) {
  while (++s < tile.reads.segment_count) {
    if (tile.reads.segments[s].slots == kGroup) return places_of(tile, tile.reads.segments[s], tile.reads);
  }
  for (int i = 0; i < tile.next.segment_count; ++i) {
    if (tile.next.segments[i].slots == kGroup) return places_of(tile, tile.next.segments[i], tile.next);
  }
  return {};
}

/// Fetches the short blocks of what is read after this tile, such as sinks. Bytes of a slot's key, and of its value.
template <typename Dot>
void fetch_short_ones(const AttentionTile& tile, std::ptrdiff_t key_bytes, std::ptrdiff_t value_bytes) {
  for (int i = 0; i < tile.next.segment_count; ++i) {
    const KvSegment& segment = tile.next.segments[i];
    if (segment.slots >= kGroup) continue;
    const HeadPlaces places = places_of(tile, segment, tile.next);
    fetch(places.keys, segment.slots * key_bytes);
    fetch(places.values, segment.slots * value_bytes);
    if constexpr (!Dot::kScaled) continue;
    fetch(places.key_scales, 2 * segment.slots);
    fetch(places.value_scales, 2 * segment.slots);
  }
}

template <typename Dot>
void attend_as(const AttentionTile& tile) {
  State<Dot> state = begin_tile<Dot>(tile);
  const int blocks = (state.rows + Dot::kRows - 1) / Dot::kRows;
  const std::ptrdiff_t key_bytes = state.padded_key * Dot::kColumn / Dot::kStep;
  const std::ptrdiff_t value_bytes = state.padded_value * Dot::kColumn / Dot::kStep;
  fetch_short_ones<Dot>(tile, key_bytes, value_bytes);
  Group group;
  for (int s = 0; s < tile.reads.segment_count; ++s) {
    const KvSegment& segment = tile.reads.segments[s];
    const HeadPlaces places = places_of(tile, segment, tile.reads);
    group.key_stride = static_cast<std::ptrdiff_t>(segment.slots) * Dot::kColumn;
    group.pinned = segment.pinned;
    // Only pages of one group each are fetched ahead, while one is read: long blocks are streams that the hardware
    // follows.
    const HeadPlaces ahead = segment.slots == kGroup ? page_after(tile, s) : HeadPlaces();
    for (int slot = 0; slot < segment.count; slot += kGroup) {
      group.filled = smaller(kGroup, segment.count - slot);
      group.keys = places.keys + static_cast<std::ptrdiff_t>(slot) * Dot::kColumn;
      group.values = places.values + slot * value_bytes;
      group.keys_ahead = ahead.keys == nullptr ? group.keys : ahead.keys;
      group.values_ahead = ahead.keys == nullptr ? group.values : ahead.values;
      fill_positions(segment, slot, group);
      if constexpr (Dot::kScaled) fill_scales(places, ahead, segment.slots, slot, group);
      for (int b = 0; b < blocks; ++b) {
        const int first = state.rows * b / blocks, end = state.rows * (b + 1) / blocks;
        attend_rows(tile, state, group, first, end - first, b == 0);
      }
    }
  }
  end_tile(tile, state);
}

void attend(const AttentionTile& tile) {
  switch (tile.type) {
    case KvType::f32:
      return attend_as<DotF32>(tile);
    case KvType::bf16:
      return attend_as<DotBf16>(tile);
    case KvType::int8:
      return attend_as<DotInt8>(tile);
  }
}

}  // namespace

const AttentionKernels attention_kernels = {attend, finish_weights};

}  // namespace layerboost::LB_ISA
