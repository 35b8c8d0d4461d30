// Attention beyond pairs of keys and values: blocks of either, heads as a list, heads that see different parts of a
// sequence, and the weights themselves. On every level that this machine has, against its definition in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/activations.h"
#include "kernels/attention.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"

namespace layerboost {
namespace {

std::size_t at(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

std::vector<float> normal(std::ptrdiff_t n, unsigned seed, float spread = 1.0f) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> distribution(0, spread);
  std::vector<float> values(at(n));
  for (float& x : values) x = distribution(engine);
  return values;
}

/// Some positions of a sequence that lie in one block.
struct Part {
  int slots, count, first_position;
  bool pinned = false;
  bool ring = false;  // from first_position on, but turned by a third of the block
};

/// Sinks, a ring and pages: positions 0 .. 3, 4 .. 35, 36 .. length - 1.
std::vector<Part> parts_of(int length) {
  std::vector<Part> parts = {{16, 4, 0, true}, {32, 32, 4, false, true}};
  for (int first = 36; first < length; first += 64) parts.push_back({64, std::min(64, length - first), first});
  return parts;
}

/// Keys and values of a sequence, the same numbers however they are kept.
class Sequence {
 public:
  Sequence(int length, int kv_heads, int key_size, int value_size)
      : kv_heads_(kv_heads),
        key_size_(key_size),
        value_size_(value_size),
        k_(normal(static_cast<std::ptrdiff_t>(length) * kv_heads * key_size, 1)),
        v_(normal(static_cast<std::ptrdiff_t>(length) * kv_heads * value_size, 2)) {}

  /// Blocks of `keys`, and where its content isn't both, of `values` beside them.
  std::vector<KvSegment> segments(const KvLayout& keys, const KvLayout& values, const std::vector<Part>& parts) {
    std::vector<KvSegment> segments;
    for (const Part& part : parts) {
      const std::int32_t* positions = nullptr;
      if (part.ring) {
        std::vector<std::int32_t> order(at(part.count));
        for (int i = 0; i < part.count; ++i) order[at((i + part.count / 3) % part.count)] = part.first_position + i;
        positions = positions_.emplace_back(std::move(order)).data();
      }
      const std::byte* const block = this->block(keys, part, positions);
      segments.push_back({block, part.slots, part.count, part.first_position, positions, part.pinned,
                          &keys == &values ? nullptr : this->block(values, part, positions)});
    }
    return segments;
  }

  /// From this KV head on, as if it were the first of a sequence's.
  Sequence from_head(int head) const {
    Sequence part = *this;
    part.first_head_ = head;
    part.blocks_.clear();
    return part;
  }

 private:
  const std::byte* block(KvLayout layout, const Part& part, const std::int32_t* positions) {
    layout.slots = part.slots;
    std::byte* const block = blocks_.emplace_back(std::make_shared<AlignedBuffer>())->reserve(layout.bytes());
    clear_kv(layout, block);
    for (int i = 0; i < part.count; ++i) {
      const std::ptrdiff_t row =
          (positions != nullptr ? positions[i] : part.first_position + i) * kv_heads_ + first_head_;
      if (layout.has_keys())
        store_kv(layout, block, i, 1, k_.data() + row * key_size_, nullptr, 0, test::scratch().caller());
      if (layout.has_values())
        store_kv(layout, block, i, 1, nullptr, v_.data() + row * value_size_, 0, test::scratch().caller());
    }
    return block;
  }

  int kv_heads_, key_size_, value_size_, first_head_ = 0;
  std::vector<float> k_, v_;
  std::vector<std::shared_ptr<AlignedBuffer>> blocks_;
  std::vector<std::vector<std::int32_t>> positions_;
};

/// What attention() leaves.
struct Results {
  std::vector<float> out, log_sums, maxima, weights;
  bool operator==(const Results&) const = default;
};

/// Queries at the last `count` positions of a sequence of `length`.
struct Queries {
  int length, count, window = 0;
};

class AttentionHeads : public testing::TestWithParam<std::tuple<Isa, KvType>> {
 protected:
  void SetUp() override {
    const Isa isa = std::get<0>(GetParam());
    if (isa > best_isa()) GTEST_SKIP() << "this machine has no " << name_of(isa);
    use_isa(isa);
  }
  void TearDown() override { use_isa(best_isa()); }

  static KvType type() { return std::get<1>(GetParam()); }
  static KvLayout pairs(int kv_heads, int d, int value_size = 0) {
    return {type(), kv_heads, d, 0, KvContent::both, value_size};
  }
  static KvLayout keys(int kv_heads, int d) { return {type(), kv_heads, d, 0, KvContent::keys}; }
  static KvLayout values(int kv_heads, int d) { return {type(), kv_heads, d, 0, KvContent::values}; }

  static Results results(const AttentionShape& shape, const Queries& queries, std::span<const KvSegment> segments,
                         std::span<const AttentionHead> heads = {}, bool reference = false) {
    const std::vector<float> q =
        normal(static_cast<std::ptrdiff_t>(queries.count) * shape.heads * shape.keys.head_size, 3, 1.5f);
    const std::size_t rows = at(queries.count) * (heads.empty() ? at(shape.heads) : heads.size());
    Results results;
    results.out.assign(rows * at(shape.values.value_head()), NAN);
    results.log_sums.assign(rows, 0);
    results.maxima.assign(rows, 0);
    results.weights.assign(rows * at(queries.length), NAN);
    const AttentionTask task = {q.data(),
                                results.out.data(),
                                queries.count,
                                queries.length - queries.count,
                                queries.window,
                                segments,
                                results.log_sums.data(),
                                results.maxima.data(),
                                heads,
                                results.weights.data()};
    if (reference) {
      attention_reference(shape, {&task, 1});
    } else {
      attention(shape, {&task, 1}, test::scratch());
    }
    return results;
  }

  /// Bounds of the errors of outputs and weights: see attention_test.cc. A weight is off by as much as its score, times
  /// itself.
  static void expect_right(const AttentionShape& shape, const Queries& queries, std::span<const KvSegment> segments,
                           std::span<const AttentionHead> heads = {}) {
    const Results got = results(shape, queries, segments, heads);
    const Results expected = results(shape, queries, segments, heads, true);
    const double tolerance = type() == KvType::f32 ? 1e-5 : type() == KvType::bf16 ? 2e-2 : 1e-3;
    for (std::size_t i = 0; i < got.out.size(); ++i)
      ASSERT_NEAR(got.out[i], expected.out[i], tolerance * (1 + std::fabs(static_cast<double>(expected.out[i])))) << i;
    const auto length = at(queries.length);
    for (std::size_t row = 0; row < got.weights.size() / length; ++row) {
      double sum = 0;
      for (std::size_t j = row * length; j < (row + 1) * length; ++j) {
        ASSERT_NEAR(got.weights[j], expected.weights[j], tolerance * 2 * static_cast<double>(expected.weights[j]))
            << "row " << row << ", position " << j - row * length;
        sum += static_cast<double>(got.weights[j]);
      }
      ASSERT_NEAR(sum, 1, 1e-5) << "row " << row;
    }
  }

  static AttentionShape shape(const KvLayout& keys, const KvLayout& values, int heads) {
    return {keys, values, heads, 1.0f / std::sqrt(static_cast<float>(keys.head_size))};
  }
};

std::string name_of_case(const testing::TestParamInfo<std::tuple<Isa, KvType>>& info) {
  const auto [isa, type] = info.param;
  return std::string(name_of(isa)) + name_of(type);
}

INSTANTIATE_TEST_SUITE_P(Levels, AttentionHeads,
                         testing::Combine(testing::Values(Isa::avx2, Isa::avx512),
                                          testing::Values(KvType::f32, KvType::bf16, KvType::int8)),
                         name_of_case);

/// One query over so many keys that they are split into ranges, some in one tile, many in several; windows with sinks.
const std::vector<Queries>& many_queries() {
  static const std::vector<Queries> all = {{1300, 1}, {90, 3}, {200, 150}, {200, 1, 40}, {200, 150, 40}};
  return all;
}

TEST_P(AttentionHeads, BlocksOfKeysAndOfValuesGiveWhatPairsGive) {
  for (const int d : {64, 50}) {
    for (const Queries& queries : many_queries()) {
      SCOPED_TRACE(testing::Message() << d << ": " << queries.count << " of " << queries.length);
      Sequence sequence(queries.length, 3, d, d);
      const std::vector<Part> parts = parts_of(queries.length);
      const KvLayout both = pairs(3, d), only_keys = keys(3, d), only_values = values(3, d);
      const Results expected = results(shape(both, both, 9), queries, sequence.segments(both, both, parts));
      const auto got = [&](const KvLayout& keys, const KvLayout& values) {
        return results(shape(keys, values, 9), queries, sequence.segments(keys, values, parts));
      };
      EXPECT_EQ(got(only_keys, only_values), expected);
      EXPECT_EQ(got(both, only_values), expected) << "another layer's pairs for their keys";
      EXPECT_EQ(got(only_keys, both), expected);
    }
  }
}

TEST_P(AttentionHeads, KeysAndValuesOfDifferentSizes) {
  const int sizes[][2] = {{32, 64}, {64, 32}, {6, 50}, {50, 6}, {128, 16}};
  for (const auto& [key_size, value_size] : sizes) {
    for (const Queries& queries : many_queries()) {
      SCOPED_TRACE(testing::Message() << key_size << ", " << value_size << ": " << queries.count);
      Sequence sequence(queries.length, 2, key_size, value_size);
      const std::vector<Part> parts = parts_of(queries.length);
      const KvLayout both = pairs(2, key_size, value_size), only_keys = keys(2, key_size),
                     only_values = values(2, value_size);
      const std::vector<KvSegment> together = sequence.segments(both, both, parts);
      expect_right(shape(both, both, 4), queries, together);
      EXPECT_EQ(results(shape(only_keys, only_values, 4), queries, sequence.segments(only_keys, only_values, parts)),
                results(shape(both, both, 4), queries, together));
    }
  }
}

TEST_P(AttentionHeads, APermutedListPermutesTheResults) {
  constexpr int heads = 6, d = 32;
  std::vector<AttentionHead> list;
  for (const int n : {4, 0, 5, 2, 1, 3}) list.push_back({n, n / 3, n / 3, {}});
  for (const Queries& queries : many_queries()) {
    SCOPED_TRACE(testing::Message() << queries.count << " of " << queries.length);
    Sequence sequence(queries.length, 2, d, d);
    const KvLayout both = pairs(2, d);
    const std::vector<KvSegment> segments = sequence.segments(both, both, parts_of(queries.length));
    const Results plain = results(shape(both, both, heads), queries, segments);
    const Results listed = results(shape(both, both, heads), queries, segments, list);
    const auto expect_permuted = [&](const std::vector<float>& got, const std::vector<float>& expected) {
      const std::size_t width = got.size() / at(queries.count * heads);
      for (std::size_t i = 0; i < at(queries.count); ++i)
        for (std::size_t a = 0; a < list.size(); ++a)
          for (std::size_t c = 0; c < width; ++c)
            ASSERT_EQ(got[(i * heads + a) * width + c], expected[(i * heads + at(list[a].query)) * width + c]) << a;
    };
    expect_permuted(listed.out, plain.out);
    expect_permuted(listed.log_sums, plain.log_sums);
    expect_permuted(listed.maxima, plain.maxima);
    expect_permuted(listed.weights, plain.weights);
  }
}

TEST_P(AttentionHeads, AListMayRepeatHeadsAndLeaveSomeOut) {
  // The weights of a model with 4 query and 2 KV heads of 16 numbers, for 3 heads of values of 48.
  const std::vector<AttentionHead> list = {{0, 0, 0, {}}, {0, 0, 1, {}}, {3, 1, 2, {}}, {1, 0, 0, {}},
                                           {3, 1, 0, {}}, {3, 0, 2, {}}, {3, 1, 2, {}}};
  for (const Queries& queries : many_queries()) {
    SCOPED_TRACE(testing::Message() << queries.count << " of " << queries.length);
    const std::vector<Part> parts = parts_of(queries.length);
    Sequence one(queries.length, 2, 16, 48), other(queries.length, 3, 16, 48);
    const KvLayout own_keys = keys(2, 16), own_values = values(3, 48);
    std::vector<KvSegment> segments = one.segments(own_keys, own_keys, parts);
    const std::vector<KvSegment> beside = other.segments(own_values, own_values, parts);
    for (std::size_t s = 0; s < segments.size(); ++s) segments[s].values = beside[s].block;
    expect_right(shape(own_keys, own_values, 4), queries, segments, list);
  }
}

TEST_P(AttentionHeads, HeadsMaySeeDifferentPartsOfASequence) {
  // KV head 0 sees everything, the others the sinks and the last page or two, which they keep in blocks of their own.
  constexpr int heads = 6, d = 32;
  const KvLayout all_heads = pairs(3, d), one_head = pairs(1, d);
  for (const Queries& queries : {Queries{1300, 1}, Queries{1300, 5}, Queries{200, 30}}) {
    SCOPED_TRACE(testing::Message() << queries.count << " of " << queries.length);
    const std::vector<Part> whole = parts_of(queries.length);
    std::vector<Part> rest = {whole.front()};
    rest.insert(rest.end(), whole.end() - 2, whole.end());
    Sequence sequence(queries.length, 3, d, d);
    std::vector<std::vector<KvSegment>> own;
    std::vector<Sequence> kept;
    for (int g = 0; g < 3; ++g)
      own.push_back(kept.emplace_back(sequence.from_head(g)).segments(one_head, one_head, g == 0 ? whole : rest));
    std::vector<AttentionHead> list;
    for (int n = 0; n < heads; ++n) list.push_back({n, 0, 0, own[at(n / 2)]});
    expect_right(shape(one_head, one_head, heads), queries, {}, list);

    const Results got = results(shape(one_head, one_head, heads), queries, {}, list);
    const AttentionShape plain = shape(all_heads, all_heads, heads);
    const Results everything = results(plain, queries, sequence.segments(all_heads, all_heads, whole));
    const Results little = results(plain, queries, sequence.segments(all_heads, all_heads, rest));
    for (std::size_t i = 0; i < got.out.size(); ++i)
      ASSERT_EQ(got.out[i], (i / d % heads < 2 ? everything : little).out[i]) << i;
    // Heads without segments of their own see the task's.
    std::vector<AttentionHead> mixed;
    const std::vector<KvSegment> shared = sequence.segments(all_heads, all_heads, whole);
    const std::vector<KvSegment> narrow = sequence.segments(all_heads, all_heads, rest);
    for (int n = 0; n < heads; ++n) {
      mixed.push_back({n, n / 2, n / 2, {}});
      if (n >= 2) mixed.back().segments = narrow;
    }
    EXPECT_EQ(results(plain, queries, shared, mixed), got);
  }
}

TEST_P(AttentionHeads, WeightsAreTheReferences) {
  for (const Queries& queries : many_queries()) {
    SCOPED_TRACE(testing::Message() << queries.count << " of " << queries.length << ", window " << queries.window);
    Sequence sequence(queries.length, 3, 64, 64);
    const KvLayout both = pairs(3, 64);
    expect_right(shape(both, both, 9), queries, sequence.segments(both, both, parts_of(queries.length)));
  }
}

TEST_P(AttentionHeads, CappedScoresGiveWeightsSumsAndMaxima) {
  constexpr float cap = 0.75f;
  for (const Queries& queries : many_queries()) {
    SCOPED_TRACE(testing::Message() << queries.count << " of " << queries.length << ", window " << queries.window);
    Sequence sequence(queries.length, 3, 64, 64);
    const KvLayout both = pairs(3, 64);
    AttentionShape capped = shape(both, both, 9);
    capped.soft_cap = cap;
    const std::vector<KvSegment> segments = sequence.segments(both, both, parts_of(queries.length));
    expect_right(capped, queries, segments);
    const Results got = results(capped, queries, segments);
    for (std::size_t row = 0; row < got.maxima.size(); ++row) {
      EXPECT_LE(got.maxima[row], cap * std::numbers::log2e_v<float> * (1 + 1e-6f));
      const auto first = got.weights.begin() + static_cast<std::ptrdiff_t>(row) * queries.length;
      EXPECT_NEAR(*std::max_element(first, first + queries.length), std::exp2(got.maxima[row] - got.log_sums[row]),
                  1e-5);
    }
  }
}

TEST_P(AttentionHeads, TasksOfOneCallMayHaveDifferentLists) {
  constexpr int heads = 4, d = 16, length = 700;
  Sequence sequence(length, 2, d, d);
  const KvLayout both = pairs(2, d);
  const std::vector<KvSegment> segments = sequence.segments(both, both, parts_of(length));
  const std::vector<float> q = normal(heads * d, 3);
  const std::vector<AttentionHead> reversed = {{3, 1, 1, {}}, {2, 1, 1, {}}, {1, 0, 0, {}}, {0, 0, 0, {}}};
  const std::vector<AttentionHead> one = {{2, 1, 1, {}}};
  const std::vector<std::span<const AttentionHead>> lists = {{}, reversed, one, one, {}};
  std::vector<std::vector<float>> outs;
  std::vector<AttentionTask> tasks;
  outs.reserve(lists.size());
  for (const auto& list : lists) {
    outs.emplace_back((list.empty() ? heads : list.size()) * d);
    tasks.push_back({q.data(), outs.back().data(), 1, length - 1, 0, segments, nullptr, nullptr, list});
  }
  attention(shape(both, both, heads), tasks, test::scratch());
  EXPECT_EQ(outs[4], outs[0]);
  EXPECT_EQ(outs[3], outs[2]);
  EXPECT_TRUE(std::equal(outs[2].begin(), outs[2].end(), outs[0].begin() + 2 * d));
  for (std::ptrdiff_t a = 0; a < heads; ++a)
    EXPECT_TRUE(std::equal(outs[1].begin() + a * d, outs[1].begin() + (a + 1) * d, outs[0].begin() + (3 - a) * d)) << a;
}

TEST(KvBlocks, HoldWhatTheirLayoutSays) {
  for (const KvType type : {KvType::f32, KvType::bf16, KvType::int8}) {
    const KvLayout both = {type, 2, 20, 48, KvContent::both, 50}, keys = {type, 2, 20, 48, KvContent::keys},
                   values = {type, 2, 50, 48, KvContent::values}, pairs = {type, 2, 20, 48};
    EXPECT_EQ(keys.bytes() + values.bytes(), both.bytes());
    EXPECT_EQ(2 * keys.bytes(), pairs.bytes());
    const std::vector<float> k = normal(48 * 40, 4), v = normal(48 * 100, 5);
    AlignedBuffer together, first, second, moved;
    for (const auto& [layout, buffer] : {std::pair(&both, &together), {&keys, &first}, {&values, &second}}) {
      clear_kv(*layout, buffer->reserve(layout->bytes()));
      if (layout->has_keys()) store_kv(*layout, buffer->data(), 0, 48, k.data(), nullptr, 40, test::scratch().caller());
      if (layout->has_values())
        store_kv(*layout, buffer->data(), 0, 48, nullptr, v.data(), 100, test::scratch().caller());
    }
    KvLayout longer = values;
    longer.slots = 64;
    clear_kv(longer, moved.reserve(longer.bytes()));
    for (int slot = 0; slot < 48; ++slot) {
      std::vector<float> k_both(40), v_both(100), k_apart(40), v_apart(100), v_moved(100);
      load_kv(both, together.data(), slot, k_both.data(), v_both.data());
      load_kv(keys, first.data(), slot, k_apart.data(), nullptr);
      load_kv(values, second.data(), slot, nullptr, v_apart.data());
      move_kv(values, second.data(), slot, longer, moved.data(), slot + 9);
      load_kv(longer, moved.data(), slot + 9, nullptr, v_moved.data());
      EXPECT_EQ(k_both, k_apart);
      EXPECT_EQ(v_both, v_apart);
      EXPECT_EQ(v_moved, v_apart);
      for (std::size_t j = 0; j < 100; ++j) ASSERT_NEAR(v_both[j], v[at(slot) * 100 + j], 0.03);
      for (std::size_t j = 0; j < 40; ++j) ASSERT_NEAR(k_both[j], k[at(slot) * 40 + j], 0.03);
    }
  }
}

}  // namespace
}  // namespace layerboost
