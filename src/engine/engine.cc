#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/memory.h"
#include "engine/pace.h"
#include "engine/pooling.h"
#include "engine/prediction.h"
#include "engine/scheduler.h"
#include "generate/generate.h"
#include "grammar/constraint.h"

namespace layerboost {
namespace {

void check_levels(const LevelOptions& levels, int plans) {
  for (const int level : {levels.level, levels.cap})
    if (level < 0 || level >= plans) fail("level {}: there are levels 0 to {}", level, plans - 1);
  if (!(levels.cooldown > 0)) fail("a cool-down of {} s: must be more than 0", levels.cooldown);
  for (const double seconds : {levels.first_token, levels.between_tokens})
    if (!(seconds >= 0)) fail("a target of {} s: must be 0 or more", seconds);
}

EngineOptions checked(EngineOptions options, int plans) {
  if (options.max_sequences < 1) fail("{} sequences at the same time: must be at least 1", options.max_sequences);
  if (options.step_tokens <= options.max_sequences)
    fail("{} tokens in a step: must be more than the sequences at the same time ({})", options.step_tokens,
         options.max_sequences);
  if (options.preallocate < 0) fail("{} positions to preallocate: must be 0 or more", options.preallocate);
  if (options.max_queue < 1) fail("{} waiting requests: must be at least 1", options.max_queue);
  if (options.memory == 0) options.memory = free_memory() / 2;
  check_levels(options.levels, plans);
  return options;
}

/// An output with nothing new in it.
Output counted(const Job& job) {
  Output output;
  output.prompt_tokens = job.prompt_tokens;
  output.cached_tokens = std::max(0, job.cached);
  output.generated_tokens = job.generated;
  output.waited = job.waited;
  output.first_plan = std::max(0, job.first_plan);
  output.plan = job.plan;
  return output;
}

}  // namespace

class Engine::Impl {
 public:
  Impl(const Model& model, std::vector<const MixerList*> plans, const EngineOptions& options,
       std::unique_ptr<StepRunner> runner)
      : model_(model),
        plans_(std::move(plans)),
        options_(checked(options, static_cast<int>(std::ssize(plans_)))),
        ends_(end_tokens(model)),
        runner_(runner != nullptr ? std::move(runner) : std::make_unique<ModelStepRunner>(model)),
        memory_(options_.memory),
        prefixes_(options_.prefix_cache ? std::make_unique<PrefixCache>() : nullptr),
        scheduler_(memory_, prefixes_.get(), plans_, options_.step_tokens, options_.max_sequences, model.config.rope),
        pace_(model.config, options_.levels.cost, options_.step_tokens) {
    LB_CHECK(!plans_.empty());
    own_.cache_limit = options_.memory;
    own_.finished_by_plan.resize(plans_.size());
    own_.tokens_by_plan.resize(plans_.size());
    own_.running_by_plan.resize(plans_.size());
    const LevelOptions& levels = options_.levels;
    if (levels.mode == LevelMode::automatic) controller_.emplace(levels);
    if (levels.mode == LevelMode::per_request) scheduler_.begin_where_room_is();
    if (levels.mode == LevelMode::fixed) own_.level = levels.level;
    stats_ = own_;
    // So that handing out failures needs no memory for itself.
    outputs_.reserve(2 * static_cast<std::size_t>(options_.max_sequences));
    ended_.reserve(2 * static_cast<std::size_t>(options_.max_sequences));
    if (options_.preallocate > 0) preallocate();
  }

  RequestId submit(GenerationRequest request, Sink sink, const std::shared_ptr<const Constraint>& constraint,
                   Place place);
  [[nodiscard]] int step_tokens() const { return options_.step_tokens; }
  [[nodiscard]] int places() const { return options_.max_sequences + options_.max_queue; }
  [[nodiscard]] int longest_sequence(int most, int plan) const;
  [[nodiscard]] int highest_plan(int prompt) const { return levels_for(prompt).highest; }
  void cancel(RequestId id);
  bool step();
  void run();
  void stop();
  [[nodiscard]] EngineStats stats() const;

 private:
  void preallocate();
  void admit(const std::shared_ptr<const Constraint>& constraint);
  [[nodiscard]] PlanRange plans_of(const GenerationRequest& request) const;
  [[nodiscard]] PlanRange levels_for(int prompt) const;
  bool fail_stuck();
  void choose_level();
  void foresee(LevelSignals& signals);
  StepRows rows_of(const std::vector<StepItem>& items);
  void take_inbox();
  bool make_step();
  const float* forward(const std::vector<StepItem>& items);
  static std::vector<Prediction> predictions_of(const std::vector<StepItem>& items);
  void keep_snapshots(const std::vector<StepItem>& items);
  void write(Prediction& prediction);
  void finish_read(Job& job);
  void tell_of_prompt(Job& job, Output& output);
  void end(Job& job, Output& output);
  void fail_sequence(Job& job, const char* why, bool by_request = false);
  void fail_running(const char* why);
  void publish();
  void deliver();

  const Model& model_;
  const std::vector<const MixerList*> plans_;
  const EngineOptions options_;
  const std::vector<TokenId> ends_;

  // The compute thread's.
  const std::unique_ptr<StepRunner> runner_;
  CacheMemory memory_;
  std::unique_ptr<PrefixCache> prefixes_;
  Scheduler scheduler_;
  KernelScratch scratch_;  // of sampling
  std::optional<LevelController> controller_;
  Pace pace_;
  EngineStats own_;
  std::vector<std::pair<const Job*, Output>> outputs_;  // of this step
  std::vector<std::unique_ptr<Job>> ended_;             // jobs of outputs_ that the scheduler no longer has

  std::atomic<RequestId> last_id_ = 0;

  // Everybody's, under the mutex.
  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::vector<std::unique_ptr<Job>> submitted_;
  std::vector<std::weak_ptr<const Constraint>> constraints_;  // in use, each once, and some that were
  std::vector<RequestId> cancelled_;
  bool stopping_ = false;
  EngineStats stats_;
};

void Engine::Impl::preallocate() {
  const MixerList& mixers = *plans_.front();
  const std::size_t bytes = options_.max_sequences * sequence_bytes(mixers, options_.preallocate);
  if (bytes > options_.memory)
    fail("{} positions of {} sequences need {} MiB of cache, and there are {} MiB: preallocate fewer",
         options_.preallocate, options_.max_sequences, (bytes >> 20) + 1, options_.memory >> 20);
  memory_.preallocate(mixers, options_.max_sequences, options_.preallocate);
}

/// The levels that a sequence may have whose prompt has so many tokens, and which names no plan.
PlanRange Engine::Impl::levels_for(int prompt) const {
  const LevelOptions& levels = options_.levels;
  switch (levels.mode) {
    case LevelMode::off:
      return {0, 0};
    case LevelMode::fixed:
      return {levels.level, levels.level};
    case LevelMode::automatic:
    case LevelMode::per_request:
      return {0, levels.by_length ? std::min(levels.cap, length_cap(prompt, model_.config.layers)) : levels.cap};
  }
  LB_CHECK(false);
}

PlanRange Engine::Impl::plans_of(const GenerationRequest& request) const {
  if (!request.plan && (request.prompt_logprobs >= 0 || request.embedding)) return {0, 0};
  if (!request.plan) return levels_for(static_cast<int>(std::ssize(request.prompt)));
  if (*request.plan < 0 || *request.plan >= std::ssize(plans_))
    fail("plan {}: there are plans 0 to {}", *request.plan, std::ssize(plans_) - 1);
  return {*request.plan, *request.plan};
}

RequestId Engine::Impl::submit(GenerationRequest request, Sink sink,
                               const std::shared_ptr<const Constraint>& constraint, Place place) {
  check_request(request, model_.config);
  const PlanRange plans = plans_of(request);
  const int most = static_cast<int>(request.prompt.size()) + std::max(request.max_tokens, 1) - 1;
  const std::size_t bytes = sequence_bytes(*plans_[static_cast<std::size_t>(plans.highest)], most);
  if (bytes > options_.memory)
    fail("{} tokens of prompt and max_tokens {} need {} MiB of cache, and there are {} MiB: ask for fewer",
         request.prompt.size(), request.max_tokens, (bytes >> 20) + 1, options_.memory >> 20);
  if (constraint != nullptr && !constraint->can_begin())
    fail("the form that the answer is to have leaves too much open where it begins: use a simpler one");
  if (constraint != nullptr && constraint->is_of_nothing()) request.max_tokens = 0;  // there is nothing to write
  auto job = std::make_unique<Job>(++last_id_, std::move(request), std::move(sink), plans, model_.text(), ends_,
                                   *options_.clock, constraint);
  if (job->request.embedding) job->states.emplace(model_.config.hidden);
  const RequestId id = job->id;
  const std::lock_guard lock(mutex_);
  const int free_places = std::max(0, options_.max_sequences - stats_.running);
  if (place == Place::of_its_own && stats_.waiting >= options_.max_queue + free_places)
    throw QueueFull(fmt::format("too many requests are waiting, {}", stats_.waiting));
  if (constraint != nullptr) admit(constraint);
  submitted_.push_back(std::move(job));
  ++stats_.waiting;
  ++stats_.requests;
  news_.notify_one();
  return id;
}

/// Counts a constraint among those in use; several requests may share one. Requires: the mutex is held.
void Engine::Impl::admit(const std::shared_ptr<const Constraint>& constraint) {
  std::size_t bytes = constraint->bytes();
  std::erase_if(constraints_, [](const std::weak_ptr<const Constraint>& other) { return other.expired(); });
  for (const std::weak_ptr<const Constraint>& each : constraints_) {
    const std::shared_ptr<const Constraint> other = each.lock();
    if (other == constraint) return;
    if (other != nullptr) bytes += other->bytes();
  }
  if (bytes > options_.constraints)
    throw QueueFull(
        fmt::format("the forms that answers are to have take {} MiB already, with those of requests that wait",
                    options_.constraints >> 20));
  constraints_.push_back(constraint);
}

int Engine::Impl::longest_sequence(int most, int plan) const {
  LB_CHECK(plan >= -1 && plan < std::ssize(plans_));
  const auto fits = [&](int length, int of) {
    return sequence_bytes(*plans_[static_cast<std::size_t>(of)], length) <= options_.memory;
  };
  const auto longest = [&](int to, int of) {
    int low = 1, too_long = to + 1;
    while (too_long - low > 1) {
      const int middle = low + (too_long - low) / 2;
      (fits(middle, of) ? low : too_long) = middle;
    }
    return low;
  };
  if (plan >= 0) return longest(most, plan);
  // Longer prompts may have a higher cap: what fits is one range for each cap.
  for (int to = most; to > 1;) {
    const int highest = levels_for(to).highest;
    int from = to;
    while (from > 1 && levels_for(from - 1).highest == highest) --from;
    if (const int found = longest(to, highest); found >= from) return found;
    to = from - 1;
  }
  return 1;
}

void Engine::Impl::cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  cancelled_.push_back(id);
  news_.notify_one();
}

bool Engine::Impl::step() {
  try {
    return make_step();
  } catch (const std::bad_alloc&) {
    fail_running(out_of_memory);
  } catch (const std::exception& error) {  // of oneDNN, for instance, which has its own for want of memory
    warn("unexpected error in a step, its sequences have failed: {}", error.what());
    fail_running("unexpected error");
  }
  return true;
}

bool Engine::Impl::make_step() {
  take_inbox();
  StepTimes& times = runner_->times();
  const StepTimes::Scope scheduling(times, StepPhase::schedule);
  choose_level();
  const Stopwatch watch(*options_.clock);
  const std::vector<StepItem>& items = scheduler_.schedule();
  if (items.empty()) return fail_stuck();
  // Steps that look for the prompt's log-probabilities take longer by it than others.
  const bool tells = controller_ && std::ranges::none_of(
                                        items, [](const StepItem& item) { return item.job->wants_prompt_logprobs(); });
  const StepRows rows = tells ? rows_of(items) : StepRows{};
  const float* const hidden = forward(items);
  {
    const StepTimes::Scope pooling(times, StepPhase::rows);
    add_states(*runner_, hidden, items);
  }
  std::vector<Prediction> predictions = predictions_of(items);
  {
    const StepTimes::Scope sampling(times, StepPhase::sampling);
    predict(*runner_, hidden, predictions, scratch_);
  }
  if (tells) pace_.measure(rows, watch.seconds());
  for (const Prediction& prediction : predictions)
    if (prediction.error != nullptr) fail_sequence(*prediction.job, prediction.error, prediction.by_request);
  keep_snapshots(items);
  const StepTimes::Scope putting_out(times, StepPhase::output);
  for (Prediction& prediction : predictions)
    if (prediction.prompt_token < 0 && !prediction.job->failed) write(prediction);
  for (const StepItem& item : items)
    if (item.job->request.max_tokens == 0 && !item.job->failed && item.job->pending() == 0) finish_read(*item.job);
  ++own_.steps;
  own_.times = times;
  publish();
  deliver();
  return true;
}

/// The only sequence that runs has outgrown the memory and can't be folded any more: it fails. False without such a
/// one.
bool Engine::Impl::fail_stuck() {
  Job* const job = scheduler_.first_running();
  if (job == nullptr) return false;
  fail_sequence(*job, "the sequence has outgrown the memory for caches, and its caches can't be made smaller");
  publish();
  deliver();
  return true;
}

/// Gives those that begin from now on the level that the load asks for.
void Engine::Impl::choose_level() {
  if (!controller_) return;
  const int before = own_.level;
  LevelSignals signals{scheduler_.demand(options_.levels.cap)};
  if (options_.levels.first_token > 0 || options_.levels.between_tokens > 0) foresee(signals);
  own_.level = controller_->tick(options_.clock->seconds(), signals);
  own_.level_changes = controller_->changes();
  scheduler_.set_level(own_.level, std::max(own_.level, controller_->memory_level()));
  if (own_.level == before) return;
  const std::lock_guard lock(mutex_);  // for those who ask while there is nothing to do
  stats_.level = own_.level;
  stats_.level_changes = own_.level_changes;
}

void Engine::Impl::foresee(LevelSignals& signals) {
  const Work work = scheduler_.work();
  std::vector<double> bytes;
  for (int level = 0; level <= options_.levels.cap; ++level)
    bytes.push_back(static_cast<double>(
        memory_.bytes(*plans_[static_cast<std::size_t>(level)], static_cast<int>(pace_.prompt_length()))));
  const int now = work.level < 0 ? own_.level : std::min(work.level, options_.levels.cap);
  for (const WaitingTimes& times : pace_.foresee(work, bytes, now)) {
    signals.first_token.push_back(times.first_token);
    signals.between_tokens.push_back(times.between_tokens);
  }
}

/// What a step is going to run. Requires: its sequences are as they are before it.
StepRows Engine::Impl::rows_of(const std::vector<StepItem>& items) {
  StepRows step;
  for (const StepItem& item : items) {
    step.rows += item.count;
    if (item.count == 1 && item.job->generated > 0) continue;
    const int middle = item.job->sequence->length() + (item.count + 1) / 2;
    step.prompts += item.count;
    step.length += 1.0 * item.count * middle;
    step.bytes += item.count * static_cast<double>(memory_.bytes(item.job->sequence->mixers(), middle));
  }
  if (step.prompts > 0) {
    step.length /= step.prompts;
    step.bytes /= step.prompts;
  }
  return step;
}

void Engine::Impl::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    if (std::exchange(stopping_, false)) return;
    lock.unlock();
    if (step()) continue;
    lock.lock();
    const auto has_news = [this] { return stopping_ || !submitted_.empty() || !cancelled_.empty(); };
    if (own_.level == 0 || !controller_)
      news_.wait(lock, has_news);
    else  // the level goes on falling
      news_.wait_for(lock, std::chrono::duration<double>(std::min(options_.levels.cooldown, 3600.0)), has_news);
  }
}

void Engine::Impl::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  news_.notify_one();
}

EngineStats Engine::Impl::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void Engine::Impl::take_inbox() {
  std::vector<std::unique_ptr<Job>> submitted;
  std::vector<RequestId> cancelled;
  {
    const std::lock_guard lock(mutex_);
    submitted.swap(submitted_);
    cancelled.swap(cancelled_);
  }
  for (std::unique_ptr<Job>& job : submitted) scheduler_.add(std::move(job));
  for (const RequestId id : cancelled) {
    std::unique_ptr<Job> job = scheduler_.remove(id);
    if (job == nullptr) continue;
    Output output = counted(*job);
    output.finish = FinishReason::cancelled;
    outputs_.emplace_back(job.get(), std::move(output));
    ended_.push_back(std::move(job));
    ++own_.cancelled;
  }
  if (cancelled.empty()) return;
  publish();
  deliver();
}

/// Runs the items' tokens. Returns hidden [N, D].
const float* Engine::Impl::forward(const std::vector<StepItem>& items) {
  std::vector<BatchItem> batch;
  for (const StepItem& item : items) {
    const auto read = static_cast<std::size_t>(item.job->sequence->length());
    batch.push_back({&*item.job->sequence,
                     std::span<const TokenId>(item.job->tokens).subspan(read, static_cast<std::size_t>(item.count))});
    own_.rows += static_cast<std::uint64_t>(item.count);
  }
  return runner_->forward(batch);
}

/// Returns what is to be predicted from the rows that have been run: the next token of each sequence that was read to
/// its end and is to be written on, and the tokens of prompts whose log-probabilities are wanted.
std::vector<Prediction> Engine::Impl::predictions_of(const std::vector<StepItem>& items) {
  std::vector<Prediction> predictions;
  int row = 0;
  for (const StepItem& item : items) {
    Job& job = *item.job;
    const int first = job.sequence->length() - item.count;
    for (int i = 0; i < item.count && job.wants_prompt_logprobs(); ++i)
      if (const int next = first + i + 1; next < job.prompt_tokens)
        predictions.push_back({&job, row + i, next, -1, {}});
    row += item.count;
    if (job.pending() == 0 && job.request.max_tokens > 0) predictions.push_back({&job, row - 1, -1, -1, {}});
  }
  return predictions;
}

void Engine::Impl::keep_snapshots(const std::vector<StepItem>& items) {
  for (const StepItem& item : items) {
    Job& job = *item.job;
    if (job.failed || job.snapshot_points.empty() || job.snapshot_points.front() != job.sequence->length()) continue;
    prefixes_->store(std::span(job.tokens).first(static_cast<std::size_t>(job.snapshot_points.front())), *job.sequence);
    job.snapshot_points.erase(job.snapshot_points.begin());
  }
}

/// A job's sequence goes on by the token that was sampled.
void Engine::Impl::write(Prediction& prediction) {
  Job& job = *prediction.job;
  const GenerationRequest& request = job.request;
  const bool first = job.generated == 0;
  if (first) job.first_token = job.since.seconds();
  ++job.generated;
  ++own_.generated_tokens;
  ++own_.tokens_by_plan[static_cast<std::size_t>(job.plan)];
  Output output = counted(job);
  if (first) tell_of_prompt(job, output);
  const bool ends = std::ranges::find(job.ends, prediction.sampled) != job.ends.end();
  if (!ends || request.include_end) {
    output.tokens = {prediction.sampled};
    if (prediction.logprob) output.logprobs.push_back(std::move(*prediction.logprob));
    output.text = job.text.push(prediction.sampled, job.generated > request.min_tokens);
  } else {
    output.ended_by = prediction.sampled;
  }
  if (ends) {
    output.finish = FinishReason::stop;
  } else {
    job.tokens.push_back(prediction.sampled);
    job.processors.see(prediction.sampled);
    if (job.guide) job.guide->see(prediction.sampled);
    if (job.text.stopped() || (job.guide && job.guide->must_end())) output.finish = FinishReason::stop;
  }
  if (output.finish == FinishReason::none && job.generated == request.max_tokens) output.finish = FinishReason::length;
  if (output.finish != FinishReason::none) end(job, output);
  outputs_.emplace_back(&job, std::move(output));
}

/// A job whose prompt was only to be read, and has been.
void Engine::Impl::finish_read(Job& job) {
  Output output = counted(job);
  if (job.states) {
    output.embedding = job.states->embedding();
    if (output.embedding.empty()) return fail_sequence(job, damaged_model);
    ++own_.embeddings;
  }
  tell_of_prompt(job, output);
  output.finish = job.guide && job.guide->must_end() ? FinishReason::stop : FinishReason::length;
  end(job, output);
  outputs_.emplace_back(&job, std::move(output));
}

/// What a job's first output has beside what is written.
void Engine::Impl::tell_of_prompt(Job& job, Output& output) {
  output.prompt_logprobs = std::move(job.prompt_logprobs);
  own_.prompt_tokens += static_cast<std::uint64_t>(job.prompt_tokens);
}

/// Frees what the job holds; the prefix cache keeps it where a sequence may go on from this one.
void Engine::Impl::end(Job& job, Output& output) {
  output.text += job.text.finish();
  pace_.measure_answer(job.generated);
  const auto read = static_cast<std::size_t>(job.sequence->length());
  if (scheduler_.shares(job)) prefixes_->store(std::span(job.tokens).first(read), *job.sequence);
  ++(output.finish == FinishReason::stop ? own_.finished_stop : own_.finished_length);
  ++own_.finished_by_plan[static_cast<std::size_t>(job.plan)];
  ended_.push_back(scheduler_.remove(job.id));
}

/// Frees what the job holds; nothing of it is worth keeping.
void Engine::Impl::fail_sequence(Job& job, const char* why, bool by_request) {
  if (job.failed) return;
  job.failed = true;
  Output output = counted(job);
  output.finish = FinishReason::failed;
  output.error = why;
  output.by_request = by_request;
  ++own_.failed;
  ended_.push_back(scheduler_.remove(job.id));
  outputs_.emplace_back(&job, std::move(output));
}

/// A step could not be made: the sequences that it was made of fail, or, where there are none, the one that was to
/// begin.
void Engine::Impl::fail_running(const char* why) {
  while (prefixes_ != nullptr && prefixes_->evict()) {
  }
  while (Job* const job = scheduler_.first_running()) fail_sequence(*job, why);
  if (ended_.empty())
    if (Job* const job = scheduler_.first_waiting()) fail_sequence(*job, why);
  publish();
  deliver();
}

void Engine::Impl::publish() {
  const Scheduler::Counts& counts = scheduler_.counts();
  if (options_.levels.mode == LevelMode::per_request) own_.level = scheduler_.begun_plan();
  own_.running = scheduler_.running();
  scheduler_.count_by_plan(own_.running_by_plan);
  own_.cache_softmax = memory_.in_use(CacheAccount::softmax);
  own_.cache_window = memory_.in_use(CacheAccount::window);
  own_.cache_state = memory_.in_use(CacheAccount::state);
  own_.cache_reserved = memory_.reserved();
  own_.scratch = runner_->scratch_bytes() + scratch_.bytes();
  own_.snapshots = prefixes_ == nullptr ? 0 : static_cast<int>(prefixes_->size());
  own_.preemptions = counts.preemptions;
  own_.recomputed_tokens = counts.recomputed_tokens;
  own_.prefix_queried_tokens = counts.prefix_queried_tokens;
  own_.prefix_hit_tokens = counts.prefix_hit_tokens;
  own_.folds = counts.folds;
  own_.folded_bytes = counts.folded_bytes;
  own_.folded_prefixes = counts.folded_prefixes;
  const std::lock_guard lock(mutex_);
  own_.requests = stats_.requests;
  own_.waiting = scheduler_.waiting() + static_cast<int>(submitted_.size());
  stats_ = own_;
}

/// Hands the outputs to their sinks, without the lock: a sink may submit or cancel.
void Engine::Impl::deliver() {
  // Where a sink throws for want of memory, what was handed out before isn't handed out again.
  for (auto& [job, output] : outputs_)
    if (const Job* const to = std::exchange(job, nullptr)) to->sink(std::move(output));
  outputs_.clear();
  ended_.clear();
}

Engine::Engine(const Model& model, std::vector<const MixerList*> plans, const EngineOptions& options,
               std::unique_ptr<StepRunner> runner)
    : impl_(std::make_unique<Impl>(model, std::move(plans), options, std::move(runner))) {}
Engine::~Engine() = default;

RequestId Engine::submit(GenerationRequest request, Sink sink, const std::shared_ptr<const Constraint>& constraint,
                         Place place) {
  return impl_->submit(std::move(request), std::move(sink), constraint, place);
}
int Engine::longest_sequence(int most, int plan) const { return impl_->longest_sequence(most, plan); }

int Engine::highest_plan(int prompt) const { return impl_->highest_plan(prompt); }

int Engine::step_tokens() const { return impl_->step_tokens(); }

int Engine::places() const { return impl_->places(); }
void Engine::cancel(RequestId id) { impl_->cancel(id); }
bool Engine::step() { return impl_->step(); }
void Engine::run() { impl_->run(); }
void Engine::stop() { impl_->stop(); }
EngineStats Engine::stats() const { return impl_->stats(); }

}  // namespace layerboost
