// The kernels of src/kernels against what the machine could do at best: plain reads of the same bytes, products per
// second. Each is repeated; look at `min`, the best repetition, which other load disturbs least. LAYERBOOST_ISA=avx2
// measures that level.
#include <benchmark/benchmark.h>
#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/attention.h"
#include "kernels/matmul.h"
#include "kernels/row_ops.h"

namespace {

using namespace layerboost;

// The shape of the default model.
constexpr int kHeads = 9, kKvHeads = 3, kHeadSize = 64, kHidden = 576, kVocabulary = 49152;

std::vector<float> random_values(std::size_t n) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& x : values) x = normal(random);
  return values;
}

/// Pages of 64 positions for some layers of some sequences, in random order, as a pool gives them out.
class Pages {
 public:
  Pages(const KvLayout& layout, int count) : layout_(layout), order_(static_cast<std::size_t>(count)) {
    constexpr std::size_t kHugePage = 2 << 20;
    const std::size_t mapped = (bytes() + kHugePage - 1) / kHugePage * kHugePage;
    memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kHugePage, mapped)));
    madvise(memory_.get(), mapped, MADV_HUGEPAGE);
    std::iota(order_.begin(), order_.end(), 0);
    std::shuffle(order_.begin(), order_.end(), std::mt19937(2));
    const std::size_t width = static_cast<std::size_t>(layout.kv_heads * layout.head_size);
    const auto keys = random_values(64 * width);
    KernelScratch scratch;
    for (int i = 0; i < count; ++i) {
      store_kv(layout, block(i), 0, 64, keys.data(), keys.data(), static_cast<std::ptrdiff_t>(width), scratch.caller());
    }
  }
  [[nodiscard]] std::byte* block(int i) const {
    return memory_.get() + layout_.bytes() * static_cast<std::size_t>(order_[static_cast<std::size_t>(i)]);
  }
  [[nodiscard]] std::size_t bytes() const { return layout_.bytes() * order_.size(); }
  [[nodiscard]] const std::byte* data() const { return memory_.get(); }

 private:
  KvLayout layout_;
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::vector<int> order_;
};

/// One new token of each of 64 sequences of 1024 positions in 30 layers.
template <KvType type>
struct Decode {
  static constexpr int kSequences = 64, kContext = 1024, kLayers = 30, kPages = kContext / 64;
  KvLayout layout{type, kKvHeads, kHeadSize, 64};
  Pages pages{layout, kSequences* kPages* kLayers};
  std::vector<float> q = random_values(kSequences * kHeads * kHeadSize), out = q;
  std::vector<KvSegment> segments;

  Decode() {
    for (int i = 0; i < kSequences * kPages * kLayers; ++i) {
      segments.push_back({pages.block(i), 64, 64, i % kPages * 64});
    }
  }
  static Decode& instance() {
    static Decode decode;
    return decode;
  }
};

template <KvType type>
void attention_decode(benchmark::State& state) {
  using Case = Decode<type>;
  Case& decode = Case::instance();
  std::vector<AttentionTask> tasks(Case::kSequences);
  KernelScratch scratch;
  for (auto _ : state) {
    for (int layer = 0; layer < Case::kLayers; ++layer) {
      for (int i = 0; i < Case::kSequences; ++i) {
        AttentionTask& task = tasks[static_cast<std::size_t>(i)];
        task.q = decode.q.data() + i * kHeads * kHeadSize;
        task.out = decode.out.data() + i * kHeads * kHeadSize;
        task.count = 1;
        task.first_position = Case::kContext - 1;
        task.segments =
            std::span(decode.segments)
                .subspan(static_cast<std::size_t>((layer * Case::kSequences + i) * Case::kPages), Case::kPages);
      }
      attention(decode.layout, kHeads, 0.125f, tasks, scratch);
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(decode.pages.bytes()) * state.iterations());
}

/// One new token of each of 64 sequences in 30 layers with windows of range(0) and 4 sinks; range(1): the type.
void window_decode(benchmark::State& state) {
  constexpr int kSequences = 64, kLayers = 30, kSinks = 4;
  const int window = static_cast<int>(state.range(0)), page_count = (window + 63) / 64;
  const auto type = static_cast<KvType>(state.range(1));
  const KvLayout layout{type, kKvHeads, kHeadSize, 64};
  const KvLayout sink_layout{type, kKvHeads, kHeadSize, 16};
  const Pages pages(layout, kSequences * kLayers * page_count), sinks(layout, kSequences * kLayers);
  const auto q = random_values(kSequences * kHeads * kHeadSize);
  std::vector<float> out(q.size());
  std::vector<std::vector<KvSegment>> segments(kSequences * kLayers);
  for (int i = 0; i < kSequences * kLayers; ++i) {
    auto& own = segments[static_cast<std::size_t>(i)];
    own.push_back({sinks.block(i), sink_layout.slots, kSinks, 0, nullptr, true});
    for (int page = 0; page < page_count; ++page)
      own.push_back({pages.block(i * page_count + page), 64, std::min(64, window - page * 64), 1000 + page * 64});
  }
  std::vector<AttentionTask> tasks(kSequences);
  KernelScratch scratch;
  for (auto _ : state) {
    for (int layer = 0; layer < kLayers; ++layer) {
      for (int i = 0; i < kSequences; ++i) {
        const std::ptrdiff_t at = std::ptrdiff_t{i} * kHeads * kHeadSize;
        tasks[static_cast<std::size_t>(i)] = {
            q.data() + at,     out.data() + at, 1,
            1000 + window - 1, window,          segments[static_cast<std::size_t>(layer * kSequences + i)]};
      }
      attention(layout, kHeads, 0.125f, tasks, scratch);
    }
  }
  const std::size_t bytes = pages.bytes() + sink_layout.bytes() * kSequences * kLayers;
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

/// What attention_decode is measured against: the same bytes read in order of address by all threads.
void plain_read(benchmark::State& state) {
  const Decode<KvType::bf16>& decode = Decode<KvType::bf16>::instance();
  const auto lines = static_cast<std::ptrdiff_t>(decode.pages.bytes() / 64);
  for (auto _ : state) {
    long long total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (std::ptrdiff_t i = 0; i < lines / 64; ++i) {
      const auto* p = reinterpret_cast<const __m128i*>(decode.pages.data() + i * 64 * 64);
      __m128i sums[4] = {};
      for (int j = 0; j < 256; j += 4) {
        for (int k = 0; k < 4; ++k) sums[k] = _mm_add_epi64(sums[k], _mm_load_si128(p + j + k));
      }
      total += _mm_cvtsi128_si64(_mm_add_epi64(_mm_add_epi64(sums[0], sums[1]), _mm_add_epi64(sums[2], sums[3])));
    }
    benchmark::DoNotOptimize(total);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(decode.pages.bytes()) * state.iterations());
}

/// A prompt of range(0) tokens in one layer, of which the last range(1) are asked; range(2): the window; range(3): the
/// type of the cache.
void attention_prompt(benchmark::State& state) {
  const int tokens = static_cast<int>(state.range(0)), asked = static_cast<int>(state.range(1));
  const KvLayout layout{static_cast<KvType>(state.range(3)), kKvHeads, kHeadSize, 64};
  const Pages pages(layout, (tokens + 63) / 64);
  std::vector<KvSegment> segments;
  for (int i = 0; i < tokens; i += 64) segments.push_back({pages.block(i / 64), 64, std::min(64, tokens - i), i});
  const auto q = random_values(static_cast<std::size_t>(asked * kHeads * kHeadSize));
  std::vector<float> out(q.size());
  const int window = static_cast<int>(state.range(2));
  const AttentionTask task = {q.data(), out.data(), asked, tokens - asked, window, segments};
  KernelScratch scratch;
  for (auto _ : state) attention(layout, kHeads, 0.125f, {&task, 1}, scratch);
  double seen = 0;
  for (int i = tokens - asked; i < tokens; ++i) seen += window == 0 ? i + 1 : std::min(i + 1, window);
  state.counters["flops"] = benchmark::Counter(
      4.0 * kHeads * kHeadSize * seen * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void store_keys(benchmark::State& state) {
  const int count = static_cast<int>(state.range(0));
  const KvLayout layout{static_cast<KvType>(state.range(1)), kKvHeads, kHeadSize, 64};
  const Pages pages(layout, 64);
  const int width = kKvHeads * kHeadSize;
  const auto k = random_values(static_cast<std::size_t>(count * width));
  int i = 0;
  KernelScratch scratch;
  for (auto _ : state)
    store_kv(layout, pages.block(i++ % 64), 64 - count, count, k.data(), k.data(), width, scratch.caller());
  state.SetItemsProcessed(count * state.iterations());
}

void rms_norm_rows(benchmark::State& state) {
  const int rows = static_cast<int>(state.range(0));
  const auto x = random_values(static_cast<std::size_t>(rows * kHidden));
  const auto weight = random_values(kHidden);
  Activations out;
  out.reshape(rows, kHidden, static_cast<Precision>(state.range(1)));
  KernelScratch scratch;
  for (auto _ : state) rms_norm(x.data(), {}, weight.data(), 1e-5f, out, scratch);
  state.SetItemsProcessed(static_cast<std::int64_t>(x.size()) * state.iterations());
}

/// range(0) rows of the MLP's middle; range(1): their type, int8's rotated.
void silu_rows(benchmark::State& state) {
  const int rows = static_cast<int>(state.range(0)), width = 1536;
  const auto gate_up = random_values(static_cast<std::size_t>(rows * 2 * width));
  Activations out;
  out.reshape(rows, width, static_cast<Precision>(state.range(1)));
  const int rotation = out.precision() == Precision::int8 ? rotation_block(width) : 0;
  KernelScratch scratch;
  for (auto _ : state) gate_mul({gate_up.data(), nullptr, rows, 2 * width}, Gate::silu, rotation, out, scratch);
  state.SetItemsProcessed(static_cast<std::int64_t>(rows) * width * state.iterations());
}

/// Rows times the weights of an MLP's gate, of as many layers as there are: their memory is read anew for each product.
void products(benchmark::State& state) {
  constexpr int kOut = 1536, kLayers = 30;
  const int rows = static_cast<int>(state.range(0));
  const auto precision = static_cast<Precision>(state.range(1));
  const auto weight = random_values(static_cast<std::size_t>(kOut) * kHidden);
  std::vector<PackedMatrix> layers;
  for (int layer = 0; layer < kLayers; ++layer)
    layers.emplace_back(kOut, kHidden, precision, [&](std::int64_t first, std::int64_t count, float* to) {
      std::copy_n(weight.data() + first * kHidden, count * kHidden, to);
    });
  Activations x;
  x.reshape(rows, kHidden, precision);
  pack_activations(random_values(static_cast<std::size_t>(rows) * kHidden).data(), x);
  AlignedBuffer y;
  float* const to = y.reserve_product(rows, kOut);
  KernelScratch scratch;
  for (auto _ : state)
    for (const PackedMatrix& layer : layers) layer.multiply(x, to, scratch);
  // Multiplications and additions.
  state.SetItemsProcessed(std::int64_t{2} * rows * kOut * kHidden * kLayers * state.iterations());
}

void logits_log_sum_exp(benchmark::State& state) {
  const auto logits = random_values(kVocabulary);
  for (auto _ : state) benchmark::DoNotOptimize(log_sum_exp(logits.data(), 1.0f, kVocabulary));
  state.SetItemsProcessed(kVocabulary * state.iterations());
}

void logits_divergence(benchmark::State& state) {
  const auto logits = random_values(kVocabulary);
  std::vector<std::uint16_t> p(kVocabulary);
  const float lse = log_sum_exp(logits.data(), 1.0f, kVocabulary);
  store_log_probs(logits.data(), 1.0f, lse, kVocabulary, p.data());
  for (auto _ : state) benchmark::DoNotOptimize(divergence(p.data(), logits.data(), 1.0f, lse, kVocabulary));
  state.SetItemsProcessed(kVocabulary * state.iterations());
}

void best_of(benchmark::internal::Benchmark* b) {
  b->UseRealTime()->Repetitions(15)->MinTime(0.02)->ReportAggregatesOnly()->ComputeStatistics(
      "min", [](const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); });
  b->ComputeStatistics(
      "max", [](const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); });
}

BENCHMARK(plain_read)->Apply(best_of)->Unit(benchmark::kMillisecond);
BENCHMARK(attention_decode<KvType::bf16>)->Apply(best_of)->Unit(benchmark::kMillisecond);
BENCHMARK(attention_decode<KvType::int8>)->Apply(best_of)->Unit(benchmark::kMillisecond);
BENCHMARK(window_decode)
    ->Apply(best_of)
    ->ArgNames({"window", "type"})
    ->ArgsProduct({{64, 256, 512}, {1, 2}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(attention_prompt)
    ->Apply(best_of)
    ->ArgNames({"tokens", "asked", "window", "type"})
    ->Args({1024, 1024, 0, 1})
    ->Args({8192, 256, 0, 1})
    ->Args({1024, 1024, 64, 1})
    ->Args({1024, 1, 0, 1})
    ->Args({1024, 1024, 0, 0})
    ->Args({1024, 1024, 0, 2})
    ->Args({8192, 256, 0, 2})
    ->Args({1024, 1, 0, 2})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(store_keys)->Apply(best_of)->ArgsProduct({{1, 64}, {1, 2}});
BENCHMARK(rms_norm_rows)->Apply(best_of)->ArgsProduct({{1, 64, 512}, {0, 1, 2}})->Unit(benchmark::kMicrosecond);
BENCHMARK(silu_rows)->Apply(best_of)->ArgsProduct({{64, 512}, {0, 1, 2}})->Unit(benchmark::kMicrosecond);
BENCHMARK(products)
    ->Apply(best_of)
    ->ArgNames({"rows", "precision"})
    ->ArgsProduct({{1, 16, 256}, {0, 1, 2}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(logits_log_sum_exp)->Apply(best_of)->Unit(benchmark::kMicrosecond);
BENCHMARK(logits_divergence)->Apply(best_of)->Unit(benchmark::kMicrosecond);

}  // namespace
