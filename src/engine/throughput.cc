#include "engine/throughput.h"

#include <algorithm>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/random.h"
#include "engine/cache_memory.h"

namespace layerboost {
namespace {

/// An engine for runs of up to `most`'s sequences and lengths, with memory that has been used before: in service only
/// the first sequences pay for taking it from the system.
class Bench {
 public:
  Bench(const Model& model, const MixerList& mixers, const ThroughputRow& most, int step_tokens)
      : vocab_(model.config.vocab),
        longest_(throughput_positions(most.batch, most.prompt, most.generate, step_tokens) - most.prompt) {
    const int positions = model.config.max_positions, length = most.prompt + longest_;
    if (positions > 0 && length > positions)
      fail("prompts of {} and {} generated tokens for {} sequences come to {} positions, and the model has {}",
           most.prompt, most.generate, most.batch, length, positions);
    EngineOptions options;
    const std::size_t bytes = static_cast<std::size_t>(most.batch) * sequence_bytes(mixers, length);
    if (const std::size_t free = free_memory(); bytes > free)
      fail("{} sequences of {} tokens need {} MiB of cache, and {} MiB are free", most.batch,
           most.prompt + most.generate, bytes >> 20, free >> 20);
    options.memory = 2 * bytes;  // a limit, not reached
    options.step_tokens = step_tokens;
    options.max_sequences = options.max_queue = most.batch;
    options.preallocate = length;
    options.prefix_cache = false;
    engine_.emplace(model, mixers, options);
  }

  /// Adds to the row how long its work took.
  void run(ThroughputRow& row) {
    const EngineStats begin = engine_->stats();
    const std::vector<RequestId> sequences = submit(row.batch, row.prompt);
    const Stopwatch prompt_watch;
    const std::uint64_t tokens = begin.prompt_tokens + static_cast<std::uint64_t>(row.batch) * row.prompt;
    while (engine_->stats().prompt_tokens < tokens) step();
    row.prompt_seconds += prompt_watch.seconds();
    const EngineStats read = engine_->stats();
    const Stopwatch generate_watch;
    for (int i = 0; i < row.generate; ++i) step();
    row.generate_seconds += generate_watch.seconds();
    const EngineStats end = engine_->stats();
    row.prompt_times.add(read.times.since(begin.times));
    row.generate_times.add(end.times.since(read.times));
    row.cache_bytes = end.cache_used();
    row.rss_bytes = resident_memory();
    row.scratch_bytes = end.scratch;
    ++row.runs;
    for (const RequestId sequence : sequences) engine_->cancel(sequence);
    engine_->step();
  }

 private:
  std::vector<RequestId> submit(int batch, int prompt) {
    std::vector<RequestId> sequences;
    Random random(1);
    for (int sequence = 0; sequence < batch; ++sequence) {
      GenerationRequest request;
      for (int i = 0; i < prompt; ++i)
        request.prompt.push_back(static_cast<TokenId>(random.below(static_cast<std::uint64_t>(vocab_))));
      request.max_tokens = longest_;
      request.ignore_eos = true;
      request.sampling.temperature = 0;
      sequences.push_back(engine_->submit(std::move(request), [this](Output&& output) {
        if (output.error != nullptr) error_ = output.error;
      }));
    }
    return sequences;
  }

  void step() {
    check_interrupt("stopped; the same command starts again");
    LB_CHECK(engine_->step());
    if (!error_.empty()) fail("{}", error_);
  }

  std::string error_;  // of a sequence that failed
  int vocab_;
  int longest_;  // tokens that a sequence may come to generate
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
          {"rss_bytes", rss_bytes},
          {"runs", runs}};
}

int throughput_positions(int batch, int prompt, int generate, int step_tokens) {
  const auto tokens = std::int64_t{batch} * prompt, a_step = std::int64_t{std::max(step_tokens, 2 * batch)} - batch;
  return static_cast<int>(prompt + (tokens + a_step - 1) / a_step) + generate + 2;
}

ThroughputRow run_throughput(const Model& model, const MixerList& mixers, int batch, int prompt, int generate,
                             int step_tokens) {
  step_tokens = std::max(step_tokens, 2 * batch);
  ThroughputRow row{.batch = batch, .prompt = prompt, .generate = generate};
  Bench bench(model, mixers, row, step_tokens);
  ThroughputRow warm_up{.batch = batch, .prompt = std::min(prompt, std::max(64, step_tokens / batch)), .generate = 1};
  bench.run(warm_up);
  const Stopwatch watch;
  do {
    bench.run(row);
  } while (watch.seconds() < 1.0 && row.runs < 8);
  row.prompt_seconds /= row.runs;
  row.generate_seconds /= row.runs;
  return row;
}

}  // namespace layerboost
