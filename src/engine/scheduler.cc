#include "engine/scheduler.h"

#include <algorithm>

#include "base/error.h"

namespace layerboost {
namespace {

/// Tokens for which a text that begins wants memory beside its own needs and everybody else's: about a page each, so
/// that it isn't pre-empted at once.
constexpr int headroom_tokens = 64;

}  // namespace

Scheduler::Scheduler(CacheMemory& memory, PrefixCache* prefixes, int step_tokens, int max_sequences)
    : memory_(memory), prefixes_(prefixes), step_tokens_(step_tokens), max_sequences_(max_sequences) {
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

std::optional<std::size_t> Scheduler::make_room(const Job& job, int count) {
  for (;;) {
    const std::size_t growth = memory_.growth(*job.sequence, count);
    if (growth_ + growth <= memory_.room()) return growth;
    if (prefixes_ != nullptr && prefixes_->evict()) continue;
    if (running_.rbegin()->second.get() == &job) return std::nullopt;
    preempt_newest();
  }
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
    begin(job);
    if (!make_room_to_begin(job)) {
      job.sequence.reset();
      return;
    }
    const int found = job.sequence->length();
    if (job.cached < 0) {
      job.cached = found;
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

void Scheduler::begin(Job& job) {
  // A prefix that isn't run has no logits.
  const Sequence* const known =
      prefixes_ == nullptr || job.wants_prompt_logprobs() ? nullptr : prefixes_->find(job.mixers, job.tokens);
  job.sequence = known != nullptr ? *known : memory_.make_sequence(job.mixers);
}

bool Scheduler::make_room_to_begin(const Job& job) {
  std::size_t reserved = 0;
  for (const auto& [id, running] : running_) reserved += reserved_bytes(*running);
  const auto fits = [&] { return reserved + reserved_bytes(job) <= memory_.room(); };
  if (fits()) return true;
  // Snapshots go only if that is going to help.
  if (prefixes_ == nullptr ||
      held_by_running() + reserved + memory_.bytes(job.mixers, reserved_positions(job)) > memory_.limit())
    return false;
  while (!fits())
    if (!prefixes_->evict()) return false;
  return true;
}

int Scheduler::reserved_positions(const Job& job) {
  const int known = static_cast<int>(std::ssize(job.tokens));
  return std::max(known, std::min(known + headroom_tokens, job.most_positions()));
}

std::size_t Scheduler::reserved_bytes(const Job& job) {
  return memory_.growth(*job.sequence, reserved_positions(job) - job.sequence->length());
}

std::size_t Scheduler::held_by_running() {
  std::size_t own = 0, shared = 0;
  for (const auto& [id, job] : running_) {
    const std::size_t found = memory_.bytes(job->mixers, std::min(job->cached, job->sequence->length()));
    own += memory_.bytes(job->mixers, job->sequence->length()) - found;
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
