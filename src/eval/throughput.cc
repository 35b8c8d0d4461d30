#include "eval/throughput.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/random.h"
#include "kernels/row_ops.h"

namespace layerboost {
namespace {

/// Rows of one step of the prompt phase.
constexpr int step_rows = 2048;

std::size_t resident_bytes() {
  std::size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGE_SIZE));
}

/// The sequences of one run and the token that each reads next.
class Run {
 public:
  Run(Subject& subject, int batch, int prompt)
      : subject_(subject),
        sequences_(static_cast<std::size_t>(batch), Sequence(subject.mixers, subject.pools)),
        next_(sequences_.size()) {
    Random random(1);
    prompt_.resize(static_cast<std::size_t>(prompt));
    for (TokenId& token : prompt_)
      token = static_cast<TokenId>(random.below(static_cast<std::uint64_t>(subject.model.config.vocab)));
  }

  void read_prompts() {
    const std::size_t together = std::max<std::size_t>(1, step_rows / prompt_.size());
    for (std::size_t first = 0; first < sequences_.size(); first += together) {
      const std::size_t count = std::min(together, sequences_.size() - first);
      for (std::size_t begin = 0; begin < prompt_.size(); begin += step_rows) {
        check_interrupt("stopped; the same command starts again");
        const auto part =
            std::span<const TokenId>(prompt_).subspan(begin, std::min<std::size_t>(step_rows, prompt_.size() - begin));
        const bool last = begin + part.size() == prompt_.size();
        step(
            first, count, [&](std::size_t) { return part; }, last);
      }
    }
  }

  void generate(int tokens) {
    for (int i = 0; i < tokens; ++i) {
      check_interrupt("stopped; the same command starts again");
      step(
          0, sequences_.size(), [&](std::size_t sequence) { return std::span<const TokenId>(&next_[sequence], 1); },
          true);
    }
  }

 private:
  /// One forward pass of sequences first .. first + count - 1; if `predict`, each one's next token is its most likely.
  template <typename Tokens>
  void step(std::size_t first, std::size_t count, const Tokens& tokens, bool predict) {
    std::vector<BatchItem> items;
    std::vector<int> last_rows;
    int rows = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      items.push_back({&sequences_[i], tokens(i)});
      rows += static_cast<int>(items.back().tokens.size());
      last_rows.push_back(rows - 1);
    }
    const float* const hidden = subject_.runner.forward(items);
    if (!predict) return;
    std::size_t done = first;
    subject_.runner.logits(hidden, last_rows, [&](const LogitsBlock& block) {
      const auto size = static_cast<std::ptrdiff_t>(block.rows.size());
#pragma omp parallel for if (size > 1)
      for (std::ptrdiff_t i = 0; i < size; ++i)
        next_[done + static_cast<std::size_t>(i)] = argmax(block.row(static_cast<std::size_t>(i)), block.vocab);
      done += block.rows.size();
    });
  }

  Subject& subject_;
  std::vector<Sequence> sequences_;
  std::vector<TokenId> prompt_, next_;
};

/// Times the products of all layers and the head for `rows` rows; `head_rows` of them need logits.
class ProductTimer {
 public:
  /// Fills the operand with ones for the widest matrix; narrower ones see a part of them.
  explicit ProductTimer(const Subject& subject) : subject_(subject) {
    const Config& config = subject.model.config;
    const int widest = std::max({config.hidden, config.q_size(), config.ffn});
    const std::vector<float> ones(static_cast<std::size_t>(tile_rows) * static_cast<std::size_t>(widest), 1.0F);
    input_.reshape(tile_rows, widest, subject.model.precision);
    pack_activations(ones.data(), input_);
  }

  double layers(int rows) {
    const Stopwatch watch;
    for (std::size_t l = 0; l < subject_.mixers.size(); ++l) {
      const LayerWeights& weights = subject_.model.weights.layers[l];
      const MixerKind kind = subject_.mixers[l]->spec().kind;
      if (has_attention(kind)) {
        multiply(weights.qkv, rows);
        multiply(weights.o, rows);
      }
      multiply(weights.gate_up, rows);
      multiply(weights.down, rows);
    }
    return watch.seconds();
  }

  double head(int rows) {
    const Stopwatch watch;
    multiply(subject_.model.weights.head, rows);
    return watch.seconds();
  }

  /// The least of some repetitions.
  template <typename Work>
  static double best(const Work& work) {
    double least = work();
    for (int i = 0; i < 4; ++i) least = std::min(least, work());
    return least;
  }

 private:
  void multiply(const PackedMatrix& matrix, int rows) {
    for (int first = 0; first < rows; first += tile_rows) {
      const int count = std::min(tile_rows, rows - first);
      input_.reshape(count, matrix.in(), matrix.precision());
      matrix.multiply(input_, output_.reserve_as<float>(static_cast<std::size_t>(count + 16) *
                                                        static_cast<std::size_t>(matrix.out())));
    }
  }

  const Subject& subject_;
  Activations input_;
  AlignedBuffer output_;
};

}  // namespace

Json ThroughputRow::to_json() const {
  const double total = prompt_seconds + generate_seconds;
  const int positions = batch * (prompt + generate);
  return {{"pp", prompt},
          {"tg", generate},
          {"pl", batch},
          {"n_kv", positions},
          {"t_pp", prompt_seconds},
          {"speed_pp", prompt_speed()},
          {"t_tg", generate_seconds},
          {"speed_tg", generate_speed()},
          {"t", total},
          {"speed", positions / total},
          {"cache_bytes", cache_bytes},
          {"rss_bytes", rss_bytes}};
}

ThroughputRow run_throughput(Subject& subject, int batch, int prompt, int generate) {
  {
    Run warm_up(subject, batch, std::min(prompt, 64));
    warm_up.read_prompts();
    warm_up.generate(1);
  }
  ThroughputRow row{batch, prompt, generate, 0, 0, 0, 0};
  Run run(subject, batch, prompt);
  const Stopwatch prompt_watch;
  run.read_prompts();
  row.prompt_seconds = prompt_watch.seconds();
  const Stopwatch generate_watch;
  run.generate(generate);
  row.generate_seconds = generate_watch.seconds();
  row.cache_bytes = subject.pools.bytes_in_use();
  row.rss_bytes = resident_bytes();
  return row;
}

Roof measure_roof(const Subject& subject, const ThroughputRow& row) {
  ProductTimer timer(subject);
  Roof roof;
  const double tiles = static_cast<double>(row.batch) * row.prompt / tile_rows;
  roof.prompt_seconds = tiles * ProductTimer::best([&] { return timer.layers(tile_rows); }) +
                        ProductTimer::best([&] { return timer.head(row.batch); });
  roof.generate_product_seconds =
      row.generate * ProductTimer::best([&] { return timer.layers(row.batch) + timer.head(row.batch); });
  roof.bandwidth = read_bandwidth();
  std::size_t cache = 0;
  for (const Mixer* mixer : subject.mixers) cache += mixer->cache_bytes(row.prompt + row.generate / 2);
  roof.generate_cache_seconds = static_cast<double>(cache) * row.batch * row.generate / roof.bandwidth;
  return roof;
}

double read_bandwidth() {
  constexpr std::size_t bytes = std::size_t{512} << 20;
  AlignedBuffer buffer;
  auto* const words = buffer.reserve_as<std::uint64_t>(bytes / sizeof(std::uint64_t));
  constexpr auto count = static_cast<std::ptrdiff_t>(bytes / sizeof(std::uint64_t));
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < count; ++i) words[i] = static_cast<std::uint64_t>(i);
  double best = 0;
  std::uint64_t total = 0;
  for (int pass = 0; pass < 5; ++pass) {
    const Stopwatch watch;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (std::ptrdiff_t i = 0; i < count; ++i) total += words[i];
    best = std::max(best, static_cast<double>(bytes) / watch.seconds());
  }
  // The sum is used, so that the reading can't be left out.
  return total == 0 ? 0 : best;
}

}  // namespace layerboost
