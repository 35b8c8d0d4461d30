// Attention on every level that this machine has, against its definition in double.
#include "kernels/attention.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <array>
#include <cmath>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "kernels/activations.h"
#include "kernels/bf16.h"
#include "kernels/dispatch.h"
#include "kernels/scratch_for_tests.h"

namespace layerboost {
namespace {

std::size_t at(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::vector<float> normal(std::ptrdiff_t n, float spread = 1.0f) {
    std::normal_distribution<float> distribution(0, spread);
    std::vector<float> values(at(n));
    for (float& x : values) x = distribution(engine_);
    return values;
  }
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }

 private:
  std::mt19937 engine_;
};

/// One sequence's keys and values in pages, as a cache would keep them, and its queries.
class Sequence {
 public:
  Sequence(const KvLayout& layout, int heads, Random& random) : layout_(layout), heads_(heads), random_(random) {}

  /// A block for `count` slots starting at a position; with `positions`, each slot at its own.
  void add_segment(int slots, int count, int first_position, std::vector<std::int32_t> positions = {},
                   bool pinned = false) {
    KvLayout own = layout_;
    own.slots = slots;
    const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(layout_.kv_heads) * layout_.head_size;
    auto& block = blocks_.emplace_back();
    block.reserve(own.bytes());
    clear_kv(own, block.data());
    // What lies beyond `count` was somebody else's: as large as numbers get, but numbers.
    auto stale = random_.normal(slots * width);
    for (float& x : stale) x = std::copysign(2e38f, x);
    store_kv(own, block.data(), 0, slots, stale.data(), stale.data(), width, test::scratch().caller());
    const auto k = random_.normal(count * width), v = random_.normal(count * width);
    store_kv(own, block.data(), 0, count, k.data(), v.data(), width, test::scratch().caller());
    const std::int32_t* own_positions = nullptr;
    if (!positions.empty()) own_positions = positions_.emplace_back(std::move(positions)).data();
    segments_.push_back({block.data(), slots, count, first_position, own_positions, pinned});
  }

  /// Pages of `slots` for positions first .. first + count - 1.
  void add_pages(int slots, int first, int count) {
    for (int done = 0; done < count; done += slots) add_segment(slots, std::min(slots, count - done), first + done);
  }

  /// Queries at first_position .. first_position + count - 1.
  void ask(int first_position, int count, int window) {
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(count) * heads_ * layout_.head_size;
    q_ = random_.normal(size, 1.5f);
    out_.assign(at(size), NAN);
    expected_.assign(at(size), NAN);
    task_ = {q_.data(), out_.data(), count, first_position, window, segments_};
  }

  [[nodiscard]] const AttentionTask& task() const { return task_; }
  [[nodiscard]] AttentionTask reference_task() {
    AttentionTask task = task_;
    task.out = expected_.data();
    return task;
  }
  [[nodiscard]] const std::vector<float>& out() const { return out_; }
  void clear_out() { std::fill(out_.begin(), out_.end(), NAN); }

  /// f32: sums of up to some thousand terms of size 1 in f32. bf16: queries and probabilities have 8 bits, each off by
  /// up to 2^-9 of itself; a score of about |q.k| / sqrt(d) <= 8 is then off by some 0.01, and so is the weighted mean
  /// of values of size 1. int8: queries are off by up to 2^-16 of the largest of a head, scores by some 2^-16 sqrt(d)
  /// of their size, probabilities times values by 2^-16 of the largest value of 64, and outputs by some 1e-4.
  void expect_right() const {
    const double tolerance = layout_.type == KvType::f32 ? 1e-5 : layout_.type == KvType::bf16 ? 2e-2 : 1e-3;
    double squares = 0;
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const double error = static_cast<double>(out_[i]) - static_cast<double>(expected_[i]);
      squares += error * error;
      ASSERT_LE(std::abs(error), tolerance * (1 + std::abs(static_cast<double>(expected_[i])))) << i;
    }
    const double root = std::sqrt(squares / static_cast<double>(out_.size()));
    ASSERT_LE(root, layout_.type == KvType::bf16 ? 4e-3 : 1e-4);
  }

 private:
  KvLayout layout_;
  int heads_;
  Random& random_;
  std::vector<AlignedBuffer> blocks_;
  std::vector<std::vector<std::int32_t>> positions_;
  std::vector<KvSegment> segments_;
  std::vector<float> q_, out_, expected_;
  AttentionTask task_;
};

class Attention : public testing::TestWithParam<std::tuple<Isa, KvType>> {
 protected:
  void SetUp() override {
    const Isa isa = std::get<0>(GetParam());
    if (isa > best_isa()) GTEST_SKIP() << "this machine has no " << name_of(isa);
    use_isa(isa);
  }
  void TearDown() override { use_isa(best_isa()); }

  [[nodiscard]] static KvLayout layout(int kv_heads, int head_size) {
    return {std::get<1>(GetParam()), kv_heads, head_size, 0};
  }

  static void check(const KvLayout& layout, int heads, std::vector<Sequence>& sequences, float soft_cap = 0) {
    const AttentionShape shape = {layout, layout, heads, 1.0f / std::sqrt(static_cast<float>(layout.head_size)),
                                  soft_cap};
    std::vector<AttentionTask> tasks, references;
    for (Sequence& sequence : sequences) {
      tasks.push_back(sequence.task());
      references.push_back(sequence.reference_task());
    }
    attention(shape, tasks, test::scratch());
    attention_reference(shape, references);
    for (const Sequence& sequence : sequences) sequence.expect_right();
  }
};

TEST_P(Attention, LogSumsAndMaximaOfOneQueryAndOfMany) {
  // A single query's keys are split into ranges, those of many queries aren't.
  constexpr int heads = 4, d = 8, length = 1300;
  Random random(3);
  const KvLayout own = layout(2, d);
  Sequence sequence(own, heads, random);
  sequence.add_pages(64, 0, length);
  sequence.ask(length - 40, 40, 0);
  AttentionTask many = sequence.task();
  std::vector<float> log_sums(40 * heads), maxima(40 * heads), last_log_sums(heads), last_maxima(heads);
  many.log_sums = log_sums.data();
  many.maxima = maxima.data();
  AttentionTask one = many;
  one.q += 39 * heads * d;
  one.out += 39 * heads * d;
  one.count = 1;
  one.first_position = length - 1;
  one.log_sums = last_log_sums.data();
  one.maxima = last_maxima.data();
  attention(own, heads, 0.5f, {&many, 1}, test::scratch());
  attention(own, heads, 0.5f, {&one, 1}, test::scratch());
  for (std::size_t head = 0; head < heads; ++head) {
    EXPECT_NEAR(last_log_sums[head], log_sums[39 * heads + head], 1e-4);
    EXPECT_NEAR(last_maxima[head], maxima[39 * heads + head], 1e-4);
    EXPECT_LT(last_maxima[head], last_log_sums[head]);
    EXPECT_GT(last_maxima[head] + std::log2(static_cast<float>(length)), last_log_sums[head]);
  }
}

std::string name_of_case(const testing::TestParamInfo<std::tuple<Isa, KvType>>& info) {
  static const char* const types[] = {"F32", "Bf16", "Int8"};
  const auto [isa, type] = info.param;
  return std::string(name_of(isa)) + types[static_cast<int>(type)];
}

INSTANTIATE_TEST_SUITE_P(Levels, Attention,
                         testing::Combine(testing::Values(Isa::avx2, Isa::avx512),
                                          testing::Values(KvType::f32, KvType::bf16, KvType::int8)),
                         name_of_case);

TEST_P(Attention, PromptsOfManyShapes) {
  Random random(1);
  const int shapes[][3] = {{9, 3, 64},  {4, 4, 8},   {2, 1, 16}, {14, 2, 32}, {6, 2, 80},
                           {5, 1, 128}, {2, 2, 256}, {3, 3, 6},  {3, 3, 50}};
  for (const auto& [heads, kv_heads, d] : shapes) {
    for (const int tokens : {1, 2, 15, 64, 100}) {
      SCOPED_TRACE(testing::Message() << heads << " " << kv_heads << " " << d << ", tokens " << tokens);
      std::vector<Sequence> sequences;
      sequences.emplace_back(layout(kv_heads, d), heads, random);
      sequences[0].add_pages(64, 0, tokens);
      sequences[0].ask(0, tokens, 0);
      check(layout(kv_heads, d), heads, sequences);
    }
  }
}

TEST_P(Attention, ManyQueryHeadsPerKvHead) {
  Random random(2);
  std::vector<Sequence> sequences;
  sequences.emplace_back(layout(1, 16), 71, random);
  sequences[0].add_pages(64, 0, 70);
  sequences[0].ask(67, 3, 0);
  check(layout(1, 16), 71, sequences);
}

TEST_P(Attention, MixedBatchOfChunksAndSingleTokens) {
  Random random(3);
  const KvLayout shape = layout(3, 64);
  std::vector<Sequence> sequences;
  sequences.reserve(20);
  for (int i = 0; i < 20; ++i) {
    Sequence& sequence = sequences.emplace_back(shape, 9, random);
    const int before = random.below(300), count = i % 3 == 0 ? 1 + random.below(100) : 1;
    sequence.add_pages(64, 0, before + count);
    sequence.ask(before, count, 0);
  }
  check(shape, 9, sequences);
}

TEST_P(Attention, LongContextsSplitIntoRanges) {
  Random random(4);
  const KvLayout shape = layout(1, 32);
  for (const int context : {511, 1024, 1500, 4000}) {
    for (const int count : {1, 3}) {
      std::vector<Sequence> sequences;
      sequences.emplace_back(shape, 3, random);
      sequences[0].add_pages(64, 0, context);
      sequences[0].ask(context - count, count, 0);
      check(shape, 3, sequences);
    }
  }
}

TEST_P(Attention, WindowsOverPagesWithSinks) {
  Random random(5);
  const KvLayout shape = layout(2, 16);
  for (const int window : {1, 5, 16, 100, 1000}) {
    for (const int sinks : {0, 4, 16}) {
      for (const int tokens : {1, 90}) {
        SCOPED_TRACE(testing::Message() << "window " << window << ", sinks " << sinks << ", tokens " << tokens);
        std::vector<Sequence> sequences;
        Sequence& sequence = sequences.emplace_back(shape, 4, random);
        if (sinks > 0) sequence.add_segment(16, sinks, 0, {}, true);
        sequence.add_pages(64, sinks, 300 - sinks);
        sequence.ask(300 - tokens, tokens, window);
        check(shape, 4, sequences);
      }
    }
  }
}

TEST_P(Attention, RingsWithPositionsThatWrapAround) {
  Random random(6);
  const KvLayout shape = layout(2, 32);
  for (const int window : {8, 20, 64, 150}) {
    const int slots = (window + 15) / 16 * 16;
    for (const int now : {3, window - 1, window + 5, 10 * window + 7}) {
      SCOPED_TRACE(testing::Message() << "window " << window << ", position " << now);
      std::vector<std::int32_t> positions(at(std::min(now + 1, slots)), -1);
      for (int position = std::max(0, now + 1 - slots); position <= now; ++position)
        positions[at(position % slots)] = position;
      if (positions.size() > 5) positions[2] = -1;  // a slot that holds nothing
      if (positions[at(now % slots)] < 0) positions[at(now % slots)] = now;
      std::vector<Sequence> sequences;
      Sequence& sequence = sequences.emplace_back(shape, 6, random);
      if (now >= slots + 4) sequence.add_segment(16, 4, 0, {}, true);
      const int filled = static_cast<int>(positions.size());
      sequence.add_segment(slots, filled, 0, positions);
      sequence.ask(now, 1, window);
      check(shape, 6, sequences);
    }
  }
}

TEST_P(Attention, ChunkReadsRingAndItsOwnKeys) {
  Random random(7);
  const KvLayout shape = layout(1, 64);
  const int before = 75, count = 50;
  std::vector<std::int32_t> positions(32);
  for (int position = before - 32; position < before; ++position) positions[at(position % 32)] = position;
  for (int window = 28; window < 48; window += 3) {
    SCOPED_TRACE(testing::Message() << "window " << window);
    std::vector<Sequence> sequences;
    Sequence& sequence = sequences.emplace_back(shape, 3, random);
    sequence.add_segment(16, 4, 0, {}, true);
    sequence.add_segment(32, 32, 0, positions);
    sequence.add_segment(64, count, before);
    sequence.ask(before, count, window);
    check(shape, 3, sequences);
  }
}

TEST_P(Attention, SoftCappedScores) {
  // Prompts, long contexts that are split into ranges, windows over pages with sinks, a ring; most scores are beyond
  // the cap.
  Random random(16);
  for (const auto& [heads, kv_heads, d] : {std::array{4, 2, 64}, {3, 1, 50}}) {
    const KvLayout shape = layout(kv_heads, d);
    for (const auto& [length, asked, window] :
         {std::array{100, 100, 0}, {1500, 1, 0}, {1500, 3, 0}, {300, 90, 20}, {300, 1, 100}}) {
      SCOPED_TRACE(testing::Message() << d << ": " << asked << " of " << length << ", window " << window);
      std::vector<Sequence> sequences;
      Sequence& sequence = sequences.emplace_back(shape, heads, random);
      const int sinks = window > 0 ? 4 : 0;
      if (sinks > 0) sequence.add_segment(16, sinks, 0, {}, true);
      sequence.add_pages(64, sinks, length - sinks);
      sequence.ask(length - asked, asked, window);
      check(shape, heads, sequences, 0.75f);
    }
    std::vector<std::int32_t> positions(32);
    for (int position = 70; position < 102; ++position) positions[at(position % 32)] = position;
    std::vector<Sequence> sequences;
    Sequence& sequence = sequences.emplace_back(shape, heads, random);
    sequence.add_segment(32, 32, 0, positions);
    sequence.ask(101, 1, 20);
    check(shape, heads, sequences, 0.75f);
  }
}

TEST_P(Attention, SegmentsInAnyOrder) {
  // The first query sees nothing in the first segment, whose unfilled slots must not leave a trace.
  Random random(13);
  const KvLayout shape = layout(1, 16);
  std::vector<Sequence> sequences;
  Sequence& sequence = sequences.emplace_back(shape, 2, random);
  sequence.add_segment(16, 3, 10);
  sequence.add_segment(16, 10, 0);
  sequence.ask(9, 4, 0);
  check(shape, 2, sequences);
}

TEST_P(Attention, OneLongBlock) {
  Random random(8);
  const KvLayout shape = layout(2, 64);
  std::vector<Sequence> sequences;
  sequences.emplace_back(shape, 6, random);
  sequences[0].add_segment(272, 260, 0);
  sequences[0].ask(0, 260, 0);
  check(shape, 6, sequences);
}

TEST_P(Attention, ScoresOfAnySize) {
  // The online maximum has to move up many times, and far.
  Random random(9);
  const KvLayout shape = layout(1, 16);
  for (const float scale : {0.0f, 1e-3f, 3.0f, 30.0f}) {
    Sequence sequence(shape, 2, random);
    sequence.add_pages(16, 0, 200);
    sequence.ask(150, 50, 0);
    attention(shape, 2, scale, {&sequence.task(), 1}, test::scratch());
    const AttentionTask reference = sequence.reference_task();
    attention_reference(shape, 2, scale, {&reference, 1});
    for (std::size_t i = 0; i < sequence.out().size(); ++i) {
      // Errors of scores grow with them; here it matters that nothing overflows and the best key wins.
      const double tolerance = shape.type == KvType::f32 ? 1e-5 * (1 + static_cast<double>(scale) * 10)
                                                         : 0.02 + 1.5 * static_cast<double>(scale);
      ASSERT_NEAR(sequence.out()[i], reference.out[i], tolerance) << scale;
    }
  }
}

TEST_P(Attention, NumberOfThreadsAndBatchChangeNothing) {
  Random random(10);
  const KvLayout shape = layout(3, 64);
  std::vector<Sequence> sequences;
  for (const int context : {40, 700, 2000}) {
    Sequence& sequence = sequences.emplace_back(shape, 9, random);
    sequence.add_pages(64, 0, context);
    sequence.ask(context - (context == 700 ? 200 : 1), context == 700 ? 200 : 1, 0);
  }
  std::vector<AttentionTask> tasks;
  for (Sequence& sequence : sequences) tasks.push_back(sequence.task());
  const int threads = omp_get_max_threads();
  std::vector<std::vector<float>> first;
  for (const int used : {1, 2, 3}) {
    omp_set_num_threads(used);
    for (Sequence& sequence : sequences) sequence.clear_out();
    attention(shape, 9, 0.125f, tasks, test::scratch());
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      if (used == 1) first.push_back(sequences[i].out());
      EXPECT_EQ(sequences[i].out(), first[i]) << used << " threads";
    }
  }
  omp_set_num_threads(threads);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    sequences[i].clear_out();
    attention(shape, 9, 0.125f, {&tasks[i], 1}, test::scratch());
    EXPECT_EQ(sequences[i].out(), first[i]) << "alone";
  }
#pragma omp parallel for num_threads(2)
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    KernelScratch own;  // each thread's, who makes its calls one after another
    sequences[i].clear_out();
    attention(shape, 9, 0.125f, {&tasks[i], 1}, own);
  }
  for (std::size_t i = 0; i < sequences.size(); ++i)
    EXPECT_EQ(sequences[i].out(), first[i]) << "inside a parallel region";
}

TEST_P(Attention, WhatComesLaterChangesNothing) {
  // The same tokens in a chunk, with what follows them in their page, and one by one, as sequences are cut in one way
  // or another: to the bit.
  Random random(15);
  const KvLayout shape = layout(1, 64);
  constexpr int heads = 3, length = 200, asked = 60;
  Sequence sequence(shape, heads, random);
  sequence.add_pages(64, 0, length);
  for (const int window : {0, 40}) {
    SCOPED_TRACE(testing::Message() << "window " << window);
    sequence.ask(length - asked, asked, window);
    attention(shape, heads, 0.125f, {&sequence.task(), 1}, test::scratch());
    const std::vector<float> at_once = sequence.out();
    sequence.clear_out();
    for (int i = 0; i < asked; ++i) {
      AttentionTask one = sequence.task();
      one.q += i * heads * shape.head_size;
      one.out += i * heads * shape.head_size;
      one.count = 1;
      one.first_position += i;
      std::vector<KvSegment> until(one.segments.begin(), one.segments.begin() + one.first_position / 64 + 1);
      until.back().count = one.first_position % 64 + 1;
      one.segments = until;
      attention(shape, heads, 0.125f, {&one, 1}, test::scratch());
    }
    EXPECT_EQ(sequence.out(), at_once);
  }
}

/// The vectors of an independent implementation: /work/shared/reference/mixers beside the source tree.
void check_vectors(const std::string& name, bool windowed) {
  const fs::path path = fs::path(LAYERBOOST_SOURCE_DIR) / "../shared/reference/mixers" / (name + ".json");
  if (!fs::exists(path)) GTEST_SKIP() << "no reference vectors at " << path;
  const nlohmann::json vectors = nlohmann::json::parse(read_file(path));
  const int tokens = vectors["T"], heads = vectors["H"], kv_heads = vectors["G"], d = vectors["d"];
  const int window = windowed ? vectors["w"].get<int>() : 0, sinks = windowed ? vectors["s"].get<int>() : 0;
  const std::vector<float> q = vectors["inputs"]["q"]["data"], k = vectors["inputs"]["k"]["data"],
                           v = vectors["inputs"]["v"]["data"], expected = vectors["output"]["data"];
  const KvLayout layout = {KvType::f32, kv_heads, d, 16};
  const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(kv_heads) * d;

  std::vector<AlignedBuffer> blocks;
  std::vector<KvSegment> segments;
  const auto add = [&](int first, int count, bool pinned) {
    std::byte* block = blocks.emplace_back().reserve(layout.bytes());
    clear_kv(layout, block);
    store_kv(layout, block, 0, count, k.data() + first * width, v.data() + first * width, width,
             test::scratch().caller());
    segments.push_back({block, 16, count, first, nullptr, pinned});
  };
  if (sinks > 0) add(0, sinks, true);
  for (int first = sinks; first < tokens; first += 16) add(first, std::min(16, tokens - first), false);

  std::vector<float> out(expected.size());
  const AttentionTask task = {q.data(), out.data(), tokens, 0, window, segments};
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  attention(layout, heads, scale, {&task, 1}, test::scratch());
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-5) << i;
  attention_reference(layout, heads, scale, {&task, 1});
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], 1e-6) << i;
}

TEST_P(Attention, AgreesWithIndependentSoftmax) { check_vectors("softmax", false); }
TEST_P(Attention, AgreesWithIndependentWindow) { check_vectors("window", true); }

TEST(AttentionCache, SlotsComeBackAsStored) {
  Random random(11);
  for (const KvType type : {KvType::f32, KvType::bf16}) {
    for (const int d : {6, 16, 50, 64}) {
      const KvLayout layout = {type, 2, d, 48};
      const std::ptrdiff_t width = 2 * d, stride = width + 5;
      AlignedBuffer block;
      clear_kv(layout, block.reserve(layout.bytes()));
      const auto k = random.normal(48 * stride), v = random.normal(48 * stride);
      store_kv(layout, block.data(), 0, 1, k.data(), v.data(), stride, test::scratch().caller());
      store_kv(layout, block.data(), 1, 20, k.data() + stride, v.data() + stride, stride, test::scratch().caller());
      store_kv(layout, block.data(), 21, 27, k.data() + 21 * stride, v.data() + 21 * stride, stride,
               test::scratch().caller());
      std::vector<float> k_back(at(width)), v_back(at(width));
      for (int slot = 0; slot < 48; ++slot) {
        load_kv(layout, block.data(), slot, k_back.data(), v_back.data());
        for (std::ptrdiff_t j = 0; j < width; ++j) {
          const float key = k[at(slot * stride + j)], value = v[at(slot * stride + j)];
          ASSERT_EQ(k_back[at(j)], type == KvType::f32 ? key : from_bf16(to_bf16(key)));
          ASSERT_EQ(v_back[at(j)], type == KvType::f32 ? value : from_bf16(to_bf16(value)));
        }
      }
    }
  }
}

TEST(AttentionCache, Int8IsOffByAtMostHalfAStepOfItsSlotAndHead) {
  Random random(14);
  for (const int d : {6, 16, 50, 64}) {
    const KvLayout layout = {KvType::int8, 2, d, 48};
    EXPECT_EQ(layout.bytes(), static_cast<std::size_t>(2 * 48 * (2 * ((d + 15) / 16 * 16) + 4)));
    const std::ptrdiff_t width = 2 * d;
    AlignedBuffer block;
    clear_kv(layout, block.reserve(layout.bytes()));
    auto k = random.normal(48 * width), v = random.normal(48 * width);
    std::fill_n(k.begin() + 3 * width, width, 0.0f);
    for (std::ptrdiff_t j = 0; j < d; ++j) v[at(5 * width + j)] *= 1e6f;  // must not be seen in the other head
    store_kv(layout, block.data(), 0, 1, k.data(), v.data(), width, test::scratch().caller());
    store_kv(layout, block.data(), 1, 47, k.data() + width, v.data() + width, width, test::scratch().caller());
    std::vector<float> k_back(at(width)), v_back(at(width));
    for (int slot = 0; slot < 48; ++slot) {
      load_kv(layout, block.data(), slot, k_back.data(), v_back.data());
      const auto check = [&](const float* stored, const float* back) {
        float most = 0;
        for (int j = 0; j < d; ++j) most = std::max(most, std::abs(stored[j]));
        const float half_step = most / 127 / 2 * (1 + 1.0f / 128);  // the scale is rounded to bf16
        for (int j = 0; j < d; ++j) ASSERT_NEAR(back[j], stored[j], half_step) << slot << " " << j;
      };
      for (int head = 0; head < 2; ++head) {
        check(k.data() + slot * width + head * d, k_back.data() + head * d);
        check(v.data() + slot * width + head * d, v_back.data() + head * d);
      }
    }
  }
}

TEST(AttentionEntropy, OfEqualScoresIsTheLogOfTheirNumber) {
  Random random(12);
  const KvLayout layout = {KvType::f32, 2, 8, 0};
  Sequence sequence(layout, 4, random);
  sequence.add_pages(16, 0, 40);
  sequence.ask(0, 40, 10);
  std::vector<float> entropy(40);
  attention_entropy({layout, layout, 4, 0.0f}, sequence.task(), entropy.data());
  for (int i = 0; i < 40; ++i) EXPECT_NEAR(entropy[at(i)], std::log(std::min(i + 1, 10)), 1e-6);
  attention_entropy({layout, layout, 4, 1000.0f}, sequence.task(), entropy.data());
  for (int i = 0; i < 40; ++i) EXPECT_LT(entropy[at(i)], 0.5);
  // Capped, none is more than e^(2 / 100) times as likely as another.
  attention_entropy({layout, layout, 4, 1000.0f, 0.01f}, sequence.task(), entropy.data());
  for (int i = 0; i < 40; ++i) EXPECT_NEAR(entropy[at(i)], std::log(std::min(i + 1, 10)), 1e-3);
}

}  // namespace
}  // namespace layerboost
