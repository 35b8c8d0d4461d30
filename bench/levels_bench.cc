// What levels cost while serving: steps of sequences of two levels against steps of one, folding a sequence, and what a
// folded sequence says next against a sequence that was read at that level.
//   levels_bench MODEL [HIGH [BATCH [CONTEXT [TEXT]]]]
// MODEL has a ladder; HIGH: a level of it (15), BATCH sequences (64) of CONTEXT positions (1024). With TEXT, a file:
// pieces of 4096 of its tokens are read at level 0, folded to HIGH at 2048, 3072 and 3840, and go on for 64 tokens.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "artifact/opened_ladder.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/cache_memory.h"
#include "eval/statistics.h"
#include "model/runner.h"

namespace layerboost {
namespace {

constexpr std::size_t plenty = std::size_t{12} << 30;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::vector<TokenId> random_text(const Model& model, int count, std::uint64_t seed) {
  Random random(seed);
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i)
    tokens.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(model.config.vocab))));
  return tokens;
}

/// A sequence that may come to be of `length` tokens.
Sequence make_sequence(CacheMemory& memory, const OpenedLadder& ladder, int level, int length) {
  Sequence sequence = memory.make_sequence(ladder.list(level));
  sequence.set_rotations(ladder.opened.model->config.rope.rotations(length));
  return sequence;
}

void read(Runner& runner, Sequence& sequence, std::span<const TokenId> tokens) {
  for (std::size_t i = 0; i < tokens.size(); i += 512) {
    const BatchItem item{&sequence, tokens.subspan(i, std::min<std::size_t>(512, tokens.size() - i))};
    runner.forward({&item, 1});
  }
}

/// Steps of all sequences at level 0, all at HIGH, and half of each, in turn, so that the machine's moods meet all.
void time_steps(const OpenedLadder& ladder, int high, int batch, int context) {
  constexpr int rounds = 12;
  const Model& model = *ladder.opened.model;
  CacheMemory memory(plenty);
  Runner runner(model);
  std::vector<Sequence> low_ones, high_ones;
  for (int i = 0; i < batch; ++i) {
    read(runner, low_ones.emplace_back(make_sequence(memory, ladder, 0, context + 2 * rounds)),
         random_text(model, context, static_cast<std::uint64_t>(i)));
    // Shares the pages that both levels have.
    LB_CHECK(memory.fold(high_ones.emplace_back(low_ones.back()), ladder.list(high)));
  }
  const auto step = [&](std::span<Sequence* const> sequences) {
    const TokenId token = 1000;
    std::vector<BatchItem> items;
    for (Sequence* sequence : sequences) items.push_back({sequence, {&token, 1}});
    const Stopwatch watch;
    const float* const hidden = runner.forward(items);
    std::vector<int> rows(sequences.size());
    std::iota(rows.begin(), rows.end(), 0);
    runner.logits(hidden, rows, [](const LogitsBlock&) {});
    return watch.seconds();
  };
  std::vector<Sequence*> all_low, all_high, mixed;
  for (int i = 0; i < batch; ++i) {
    all_low.push_back(&low_ones[static_cast<std::size_t>(i)]);
    all_high.push_back(&high_ones[static_cast<std::size_t>(i)]);
    mixed.push_back(i % 2 == 0 ? all_low.back() : all_high.back());
  }
  std::vector<double> low_times, high_times, mixed_times;
  for (int round = 0; round < rounds; ++round) {
    low_times.push_back(step(all_low));
    high_times.push_back(step(all_high));
    mixed_times.push_back(step(mixed));
  }
  const double low = median({low_times.begin() + 2, low_times.end()}),
               up = median({high_times.begin() + 2, high_times.end()}),
               half = median({mixed_times.begin() + 2, mixed_times.end()});
  fmt::print(
      "{} x {}: a step at level 0 {:.2f} ms, at level {} {:.2f} ms, half and half {:.2f} ms: {:.3f} of the mean\n",
      batch, context, low * 1e3, high, up * 1e3, half * 1e3, half / ((low + up) / 2));
}

void time_folds(const OpenedLadder& ladder, int high) {
  const Model& model = *ladder.opened.model;
  CacheMemory memory(plenty);
  Runner runner(model);
  Sequence sequence = make_sequence(memory, ladder, 0, 4096);
  read(runner, sequence, random_text(model, 4096, 1));
  std::vector<double> times;
  for (int i = 0; i < 20; ++i) {
    Sequence fork = sequence;
    const Stopwatch watch;
    LB_CHECK(memory.fold(fork, ladder.list(high)));
    times.push_back(watch.seconds() / high);
  }
  fmt::print("folding a sequence of 4096 positions: {:.3f} ms a rung (median of {}, to level {})\n",
             median(times) * 1e3, times.size(), high);
}

/// Log-probabilities of what follows each of `tokens`, read after `sequence`: [tokens, V].
std::vector<float> log_probabilities(Runner& runner, Sequence& sequence, std::span<const TokenId> tokens, int vocab) {
  std::vector<float> result(tokens.size() * static_cast<std::size_t>(vocab));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const BatchItem item{&sequence, tokens.subspan(i, 1)};
    const float* const hidden = runner.forward({&item, 1});
    const int row = 0;
    runner.logits(hidden, {&row, 1}, [&](const LogitsBlock& block) {
      float* const out = result.data() + i * static_cast<std::size_t>(vocab);
      double most = -1e30, sum = 0;
      for (int v = 0; v < vocab; ++v) most = std::max<double>(most, out[v] = block.row(0)[v] * block.scale(0));
      for (int v = 0; v < vocab; ++v) sum += std::exp(out[v] - most);
      for (int v = 0; v < vocab; ++v) out[v] -= static_cast<float>(most + std::log(sum));
    });
  }
  return result;
}

double mean_kl(std::span<const float> base, std::span<const float> other, std::size_t rows) {
  double sum = 0;
  for (std::size_t i = 0; i < base.size(); ++i) sum += std::exp(double{base[i]}) * (double{base[i]} - other[i]);
  return sum / static_cast<double>(rows);
}

void compare_texts(const OpenedLadder& ladder, int high, const fs::path& file) {
  constexpr int go_on = 64;
  const Model& model = *ladder.opened.model;
  const std::vector<TokenId> tokens = model.text().encode(read_file(file));
  CacheMemory memory(plenty);
  Runner runner(model);
  std::map<int, std::pair<std::vector<double>, std::vector<double>>> losses;  // folded, read anew
  for (std::size_t begin = 0; begin + 4096 <= tokens.size() && begin < std::size_t{8} * 4096; begin += 4096) {
    const std::span<const TokenId> piece = std::span(tokens).subspan(begin, 4096);
    Sequence base = make_sequence(memory, ladder, 0, 4096), direct = make_sequence(memory, ladder, high, 4096);
    int done = 0;
    for (const int at : {2048, 3072, 3840}) {
      const auto more = piece.subspan(static_cast<std::size_t>(done), static_cast<std::size_t>(at - done));
      read(runner, base, more);
      read(runner, direct, more);
      done = at;
      const auto next = piece.subspan(static_cast<std::size_t>(at), go_on);
      Sequence folded = base, unchanged = base, anew = direct;
      LB_CHECK(memory.fold(folded, ladder.list(high)));
      const std::vector<float> right = log_probabilities(runner, unchanged, next, model.config.vocab);
      losses[at].first.push_back(mean_kl(right, log_probabilities(runner, folded, next, model.config.vocab), go_on));
      losses[at].second.push_back(mean_kl(right, log_probabilities(runner, anew, next, model.config.vocab), go_on));
    }
  }
  for (const auto& [at, loss] : losses) {
    const Estimate folded = estimate(loss.first), anew = estimate(loss.second);
    fmt::print(
        "KL of the {} tokens after {}: folded to level {} {:.5f} ± {:.5f}, read at that level {:.5f} ± {:.5f} "
        "({} texts)\n",
        go_on, at, high, folded.mean, folded.error, anew.mean, anew.error, loss.first.size());
  }
}

int number(const char* word, const char* what, int least) {
  char* end = nullptr;
  const long value = std::strtol(word, &end, 10);
  if (*end != '\0' || value < least || value > 1 << 20)
    fail("{} {}: must be a number of at least {}", what, word, least);
  return static_cast<int>(value);
}

void run(int argc, char** argv) {
  const OpenedLadder ladder = open_ladder(argv[1], Precision::bf16);
  const int high = argc > 2 ? number(argv[2], "HIGH", 1) : std::min(15, ladder.ladder.top());
  check_level(ladder.ladder, high);
  time_steps(ladder, high, argc > 3 ? number(argv[3], "BATCH", 2) : 64,
             argc > 4 ? number(argv[4], "CONTEXT", 1) : 1024);
  time_folds(ladder, high);
  if (argc > 5) compare_texts(ladder, high, argv[5]);
}

}  // namespace
}  // namespace layerboost

int main(int argc, char** argv) {
  if (argc < 2 || argc > 6) {
    layerboost::note("usage: levels_bench MODEL [HIGH [BATCH [CONTEXT [TEXT]]]]");
    return 2;
  }
  try {
    layerboost::run(argc, argv);
  } catch (const layerboost::Error& error) {
    layerboost::note("{}", error.what());
    return 2;
  }
  return 0;
}
