#include "engine/scheduler.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

/// Tokens for which a text that begins wants memory beside its own needs and everybody else's: about a page each, so
/// that it isn't pre-empted at once.
constexpr int headroom_tokens = 64;

}  // namespace

Scheduler::Scheduler(CacheMemory& memory, PrefixCache* prefixes, std::span<const MixerList* const> plans,
                     int step_tokens, int max_sequences)
    : memory_(memory), prefixes_(prefixes), plans_(plans), step_tokens_(step_tokens), max_sequences_(max_sequences) {
  LB_CHECK(step_tokens > max_sequences);
}

void Scheduler::add(std::unique_ptr<Job> job) {
  const RequestId id = job->id;
  waiting_.emplace(id, std::move(job));
}

const std::vector<StepItem>& Scheduler::schedule() {
  items_.clear();
  budget_ = step_tokens_;
  growth_ = 0;
  short_of_memory_ = false;
  // Making room may take newer jobs out of running_ on the way, never the one at hand or older ones.
  for (auto job = running_.begin(); job != running_.end(); ++job)
    if (job->second->pending() == 1) plan(*job->second);
  for (auto job = running_.begin(); job != running_.end(); ++job)
    if (job->second->pending() > 1) plan(*job->second);
  admit();
  LB_CHECK(!items_.empty() || (running_.empty() && waiting_.empty()));
  memory_.prepare(growth_);
  return items_;
}

void Scheduler::plan(Job& job) {
  int count = std::min(job.pending(), budget_);
  if (!job.snapshot_points.empty()) count = std::min(count, job.snapshot_points.front() - job.sequence->length());
  if (count == 0) return;
  const std::optional<std::size_t> growth = make_room(job, count);
  if (!growth) {
    short_of_memory_ = true;
    return;
  }
  items_.push_back({&job, count, *growth});
  budget_ -= count;
  growth_ += *growth;
}

std::optional<std::size_t> Scheduler::make_room(Job& job, int count) {
  for (;;) {
    const std::size_t growth = memory_.growth(*job.sequence, count);
    if (growth_ + growth <= memory_.room()) return growth;
    if (prefixes_ != nullptr && prefixes_->evict()) continue;
    if (fold_one(static_cast<int>(std::ssize(plans_)) - 1) || fold_to_read(job, count)) continue;
    if (running_.rbegin()->second.get() == &job) return std::nullopt;
    preempt_newest();
  }
}

bool Scheduler::fold_one(int highest) {
  std::vector<Job*> jobs;
  for (const auto& [id, job] : running_)
    if (job->plan < std::min(highest, job->plans.highest)) jobs.push_back(job.get());
  std::ranges::stable_sort(jobs, {}, [](const Job* job) { return std::pair(job->plan, -job->sequence->length()); });
  for (Job* const job : jobs) {
    // As far as the level that new ones get, or, if it is there already, a step.
    const int last = std::min(highest, job->plans.highest);
    for (int plan = std::clamp(level_, job->plan + 1, last); plan <= last; ++plan)
      if (CacheMemory::freed_by_fold(*job->sequence, mixers(plan)) > 0 && fold(*job, plan)) return true;
  }
  return false;
}

bool Scheduler::fold_to_read(Job& job, int count) {
  const int length = job.sequence->length();
  const std::size_t needed = memory_.bytes(mixers(job.plan), length + count);
  for (int plan = job.plan + 1; plan <= job.plans.highest; ++plan) {
    if (memory_.bytes(mixers(plan), length + count) >= needed) continue;
    const std::ptrdiff_t more = -CacheMemory::freed_by_fold(*job.sequence, mixers(plan));
    if (more > static_cast<std::ptrdiff_t>(memory_.room()) - static_cast<std::ptrdiff_t>(growth_)) continue;
    if (fold(job, plan)) return true;
  }
  return false;
}

bool Scheduler::fold(Job& job, int plan) {
  const std::size_t before = memory_.in_use();
  if (!memory_.fold(*job.sequence, mixers(plan))) return false;
  job.plan = plan;
  ++counts_.folds;
  counts_.folded_bytes += before - std::min(before, memory_.in_use());
  const auto planned = std::ranges::find(items_, &job, &StepItem::job);
  if (planned != items_.end()) {
    growth_ -= planned->growth;
    planned->growth = memory_.growth(*job.sequence, planned->count);
    growth_ += planned->growth;
  }
  return true;
}

void Scheduler::preempt_newest() {
  auto newest = running_.extract(std::prev(running_.end()));
  Job& job = *newest.mapped();
  const auto planned = std::ranges::find(items_, &job, &StepItem::job);
  if (planned != items_.end()) {
    budget_ += planned->count;
    growth_ -= planned->growth;
    items_.erase(planned);
  }
  job.most_read = std::max(job.most_read, job.sequence->length());
  job.sequence.reset();
  waiting_.insert(std::move(newest));
  ++counts_.preemptions;
}

void Scheduler::admit() {
  while (!waiting_.empty() && budget_ > 0 && running() < max_sequences_ && !short_of_memory_) {
    Job& job = *waiting_.begin()->second;
    job.plan = plan_to_begin(job);
    if (!begin_with_room(job)) {
      job.sequence.reset();
      return;
    }
    const int found = job.sequence->length();
    if (job.cached < 0) {
      job.cached = found;
      job.first_plan = job.plan;
      job.waited = job.since.seconds();
      if (prefixes_ != nullptr) counts_.prefix_queried_tokens += static_cast<std::uint64_t>(job.prompt_tokens);
      counts_.prefix_hit_tokens += static_cast<std::uint64_t>(found);
    }
    counts_.recomputed_tokens += static_cast<std::uint64_t>(std::max(0, job.most_read - found));
    if (prefixes_ != nullptr) job.snapshot_points = prefixes_->snapshot_points(job.tokens, found);
    running_.insert(waiting_.extract(waiting_.begin()));
    plan(job);
  }
}

int Scheduler::plan_to_begin(const Job& job) {
  const int positions = reserved_positions(job);
  std::size_t room = memory_.limit();
  if (begins_where_room_is_) room = memory_.room() - std::min(memory_.room(), reserved_by_running());
  const int lowest = job.first_plan < 0 ? job.plans.lowest : job.plan;
  int plan = std::clamp(level_, lowest, job.plans.highest);
  while (plan < job.plans.highest && memory_.bytes(mixers(plan), positions) > room) ++plan;
  return plan;
}

void Scheduler::begin(Job& job, int lowest_known) {
  const auto first = static_cast<std::size_t>(lowest_known);
  const auto usable = plans_.subspan(first, static_cast<std::size_t>(job.plan) + 1 - first);
  // A prefix that isn't run has no logits.
  const Sequence* const known =
      prefixes_ == nullptr || job.wants_prompt_logprobs() ? nullptr : prefixes_->find(usable, job.tokens);
  job.sequence = known != nullptr ? *known : memory_.make_sequence(mixers(job.plan));
}

bool Scheduler::begin_with_room(Job& job) {
  begin(job, job.plans.lowest);
  if (!make_room_to_begin(job)) return false;
  if (&job.sequence->mixers() == &mixers(job.plan)) return true;
  if (memory_.fold(*job.sequence, mixers(job.plan))) {
    ++counts_.folded_prefixes;
    return true;
  }
  begin(job, job.plan);
  return make_room_to_begin(job);
}

/// Whether there is room; what is to be folded for it has been, so that false may leave others with more room, too.
bool Scheduler::make_room_to_begin(const Job& job) {
  const auto missing = [&] { return reserved_by_running() + reserved_bytes(job) > memory_.room(); };
  while (missing()) {
    // Snapshots go only if that is going to help.
    const bool helps = prefixes_ != nullptr && held_by_running() + reserved_by_running() +
                                                       memory_.bytes(mixers(job.plan), reserved_positions(job)) <=
                                                   memory_.limit();
    if (!(helps && prefixes_->evict()) && !fold_one(level_)) return false;
  }
  return true;
}

std::size_t Scheduler::reserved_by_running() {
  std::size_t reserved = 0;
  for (const auto& [id, running] : running_) reserved += reserved_bytes(*running);
  return reserved;
}

int Scheduler::reserved_positions(const Job& job) {
  const int known = static_cast<int>(std::ssize(job.tokens));
  return std::max(known, std::min(known + headroom_tokens, job.most_positions()));
}

std::size_t Scheduler::reserved_bytes(const Job& job) {
  const Sequence& sequence = *job.sequence;
  const MixerList& own = mixers(job.plan);
  const int more = reserved_positions(job) - sequence.length();
  if (&sequence.mixers() == &own) return memory_.growth(sequence, more);
  // A prefix that is yet to be folded.
  const std::ptrdiff_t taken = std::max(std::ptrdiff_t{0}, -CacheMemory::freed_by_fold(sequence, own));
  return static_cast<std::size_t>(taken) + memory_.growth(sequence, 0) + memory_.bytes(own, sequence.length() + more) -
         memory_.bytes(own, sequence.length());
}

std::vector<double> Scheduler::demand(int cap) {
  std::vector<double> result;
  for (int level = 0; level <= cap; ++level) {
    std::size_t own = 0, shared = 0;
    const auto add = [&](const Job& job, int found) {
      const int lowest = job.first_plan < 0 ? job.plans.lowest : job.plan;
      const MixerList& list = mixers(std::clamp(level, lowest, job.plans.highest));
      const std::size_t of_prefix = memory_.bytes(list, found);
      own += memory_.bytes(list, reserved_positions(job)) - of_prefix;
      shared = std::max(shared, of_prefix);
    };
    for (const auto& [id, job] : running_) add(*job, std::min(job->cached, job->sequence->length()));
    int places = max_sequences_ - running();
    for (auto job = waiting_.begin(); job != waiting_.end() && places > 0; ++job, --places) add(*job->second, 0);
    result.push_back(static_cast<double>(own + shared) / static_cast<double>(memory_.limit()));
  }
  return result;
}

double Scheduler::unread() const {
  double tokens = 0;
  for (const auto& [id, job] : waiting_) tokens += static_cast<double>(job->tokens.size());
  if (counts_.prefix_queried_tokens > 0)
    tokens *= 1 - static_cast<double>(counts_.prefix_hit_tokens) / static_cast<double>(counts_.prefix_queried_tokens);
  for (const auto& [id, job] : running_)
    if (job->pending() > 1) tokens += job->pending();
  return tokens;
}

std::vector<int> Scheduler::running_by_plan() const {
  std::vector<int> count(plans_.size());
  for (const auto& [id, job] : running_) ++count[static_cast<std::size_t>(job->plan)];
  return count;
}

std::size_t Scheduler::held_by_running() {
  std::size_t own = 0, shared = 0;
  for (const auto& [id, job] : running_) {
    const MixerList& mixers = job->sequence->mixers();
    const std::size_t found = memory_.bytes(mixers, std::min(job->cached, job->sequence->length()));
    own += memory_.bytes(mixers, job->sequence->length()) - found;
    shared = std::max(shared, found);
  }
  return own + shared;
}

std::unique_ptr<Job> Scheduler::remove(RequestId id) {
  for (Jobs* jobs : {&running_, &waiting_}) {
    auto found = jobs->extract(id);
    if (found.empty()) continue;
    found.mapped()->sequence.reset();
    return std::move(found.mapped());
  }
  return nullptr;
}

}  // namespace layerboost
