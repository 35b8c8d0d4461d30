#include "engine/throughput.h"

#include <algorithm>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/cache_memory.h"

namespace layerboost {
namespace {

/// The texts of one run.
class Run {
 public:
  Run(const Model& model, const MixerList& mixers, const ThroughputRow& row, int step_tokens)
      : begun_(static_cast<std::size_t>(row.batch)), longest_(longest(row, step_tokens)) {
    const int positions = model.config.max_positions;
    if (positions > 0 && row.prompt + longest_ > positions)
      fail("prompts of {} and {} generated tokens for {} texts come to {} positions, and the model has {}", row.prompt,
           row.generate, row.batch, row.prompt + longest_, positions);
    EngineOptions options;
    options.memory = static_cast<std::size_t>(row.batch) * sequence_bytes(mixers, row.prompt + longest_);
    if (const std::size_t free = free_memory(); options.memory > free)
      fail("{} texts of {} tokens need {} MiB of cache, and {} MiB are free", row.batch, row.prompt + row.generate,
           options.memory >> 20, free >> 20);
    options.step_tokens = step_tokens;
    options.max_sequences = options.max_queue = row.batch;
    options.prefix_cache = false;
    engine_.emplace(model, mixers, options);
    Random random(1);
    for (std::size_t i = 0; i < begun_.size(); ++i) submit(random_prompt(random, row.prompt, model.config.vocab), i);
  }

  /// Until every text has its first token.
  void read_prompts() {
    while (reading_ > 0) step();
  }
  /// `tokens` more of every text.
  void generate(int tokens) {
    for (int i = 0; i < tokens; ++i) step();
  }
  [[nodiscard]] std::size_t cache_bytes() const { return engine_->stats().cache_used(); }
  [[nodiscard]] StepTimes times() const { return engine_->stats().times; }

 private:
  /// The first text goes on while the others are read, each step leaving room for less than a batch of such tokens.
  static int longest(const ThroughputRow& row, int step_tokens) {
    const auto tokens = std::int64_t{row.batch} * row.prompt, a_step = std::int64_t{step_tokens} - row.batch;
    return static_cast<int>((tokens + a_step - 1) / a_step) + row.generate + 2;
  }

  static std::vector<TokenId> random_prompt(Random& random, int length, int vocab) {
    std::vector<TokenId> tokens(static_cast<std::size_t>(length));
    for (TokenId& token : tokens) token = static_cast<TokenId>(random.below(static_cast<std::uint64_t>(vocab)));
    return tokens;
  }

  void submit(std::vector<TokenId> prompt, std::size_t text) {
    GenerationRequest request;
    request.prompt = std::move(prompt);
    request.max_tokens = longest_;
    request.ignore_eos = true;
    request.sampling.temperature = 0;
    engine_->submit(std::move(request), [this, text](Output&&) {
      if (!begun_[text]) --reading_;
      begun_[text] = true;
    });
    ++reading_;
  }

  void step() {
    check_interrupt("stopped; the same command starts again");
    LB_CHECK(engine_->step());
  }

  std::vector<bool> begun_;
  int longest_;  // tokens that a text may come to generate
  int reading_ = 0;
  std::optional<Engine> engine_;
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

ThroughputRow run_throughput(const Model& model, const MixerList& mixers, int batch, int prompt, int generate,
                             int step_tokens) {
  step_tokens = std::max(step_tokens, 2 * batch);
  {
    Run warm_up(model, mixers, {.batch = batch, .prompt = std::min(prompt, 64), .generate = 1}, step_tokens);
    warm_up.read_prompts();
    warm_up.generate(1);
  }
  ThroughputRow row{.batch = batch, .prompt = prompt, .generate = generate};
  Run run(model, mixers, row, step_tokens);
  const Stopwatch prompt_watch;
  run.read_prompts();
  row.prompt_seconds = prompt_watch.seconds();
  row.prompt_times = run.times();
  const Stopwatch generate_watch;
  run.generate(generate);
  row.generate_seconds = generate_watch.seconds();
  row.generate_times = run.times().since(row.prompt_times);
  row.cache_bytes = run.cache_bytes();
  row.rss_bytes = resident_memory();
  return row;
}

}  // namespace layerboost
