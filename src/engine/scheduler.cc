#include "engine/scheduler.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

/// Tokens for which a sequence that begins wants memory beside its own needs and everybody else's: about a page each,
/// so that it isn't pre-empted at once.
constexpr int headroom_tokens = 64;

std::size_t hash_of(std::span<const TokenId> tokens) {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(tokens.data()), tokens.size_bytes()});
}

}  // namespace

Scheduler::Scheduler(CacheMemory& memory, PrefixCache* prefixes, std::span<const MixerList* const> plans,
                     int step_tokens, int max_sequences, RopeConfig rope)
    : memory_(memory),
      prefixes_(prefixes),
      plans_(plans),
      step_tokens_(step_tokens),
      max_sequences_(max_sequences),
      rope_(std::move(rope)) {
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
  begin_outgrown_anew();
  // Making room may take newer jobs out of running_ on the way, never the one at hand or older ones.
  for (auto job = running_.begin(); job != running_.end(); ++job)
    if (job->second->pending() == 1) plan(*job->second);
  for (auto job = running_.begin(); job != running_.end(); ++job)
    if (job->second->pending() > 1) plan(*job->second);
  admit();
  LB_CHECK(!items_.empty() || running_.size() == 1 || (running_.empty() && waiting_.empty()));
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
    const std::optional<int> plan = plan_to_fold_to(*job, highest);
    if (plan && fold(*job, *plan)) return true;
  }
  return false;
}

std::optional<int> Scheduler::plan_to_fold_to(const Job& job, int highest) {
  // To the level that new ones get or, if the job has that already, to the next; further where that frees nothing.
  const int last = std::min(highest, job.plans.highest);
  if (job.plan >= last) return std::nullopt;
  for (int plan = std::clamp(level_, job.plan + 1, last); plan <= last; ++plan)
    if (freed_by_fold(job, plan) > 0) return plan;
  return std::nullopt;
}

std::ptrdiff_t Scheduler::freed_by_fold(const Job& job, int plan) {
  const std::ptrdiff_t freed = CacheMemory::freed_by_fold(*job.sequence, mixers(plan));
  const auto planned = std::ranges::find(items_, &job, &StepItem::job);
  if (planned == items_.end()) return freed;
  const int length = job.sequence->length(), after = length + planned->count;
  const auto growth = [&](const MixerList& list) {
    return static_cast<std::ptrdiff_t>(memory_.bytes(list, after) - memory_.bytes(list, length));
  };
  return freed - std::max(std::ptrdiff_t{0}, growth(mixers(plan)) - growth(mixers(job.plan)));
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

void Scheduler::begin_outgrown_anew() {
  for (const auto& [id, job] : running_) {
    if (job->sequence->rotations() == rotations_of(*job)) continue;
    job->most_read = std::max(job->most_read, job->sequence->length());
    job->sequence.reset();
    begin(*job, job->plan);
    settle_begun(*job);
  }
}

void Scheduler::admit() {
  while (!waiting_.empty() && budget_ > 0 && running() < max_sequences_ && !short_of_memory_) {
    Job& job = *waiting_.begin()->second;
    const int before = std::exchange(job.plan, plan_to_begin(job));
    if (!begin_with_room(job)) {
      job.plan = before;
      job.sequence.reset();
      return;
    }
    if (job.cached < 0) {
      const int found = job.sequence->length();
      if (job.plans.lowest < job.plans.highest) begun_plan_ = job.plan;
      job.cached = found;
      job.first_plan = job.plan;
      job.waited = job.since.seconds();
      if (prefixes_ != nullptr && !job.states)
        counts_.prefix_queried_tokens += static_cast<std::uint64_t>(job.prompt_tokens);
      counts_.prefix_hit_tokens += static_cast<std::uint64_t>(found);
    }
    settle_begun(job);
    running_.insert(waiting_.extract(waiting_.begin()));
    plan(job);
  }
}

void Scheduler::settle_begun(Job& job) {
  const int found = job.sequence->length();
  job.shared = found;
  job.prefix = hash_of(std::span(job.tokens).first(static_cast<std::size_t>(found))) +
               static_cast<std::size_t>(job.sequence->rotations());
  counts_.recomputed_tokens += static_cast<std::uint64_t>(std::max(0, job.most_read - found));
  job.snapshot_points.clear();
  if (shares(job)) job.snapshot_points = prefixes_->snapshot_points(job.tokens, found);
}

int Scheduler::plan_to_begin(const Job& job) {
  const int positions = reserved_positions(job);
  // Snapshots go where there is need.
  const std::size_t taken = begins_where_room_is_ ? held_by_running() + reserved_by_running() : 0;
  const std::size_t room = memory_.limit() - std::min(memory_.limit(), taken);
  const int lowest = job.first_plan < 0 ? job.plans.lowest : job.plan;
  int plan = std::clamp(level_, lowest, job.plans.highest);
  while (plan < job.plans.highest && memory_.bytes(mixers(plan), positions) > room) ++plan;
  return plan;
}

void Scheduler::begin(Job& job, int lowest_known) {
  const auto first = static_cast<std::size_t>(lowest_known);
  const auto usable = plans_.subspan(first, static_cast<std::size_t>(job.plan) + 1 - first);
  // A prefix that isn't run has no logits; and who names a plan gets what that plan reads.
  const bool as_read = job.plans.lowest == job.plans.highest;
  const Sequence* const known = prefixes_ == nullptr || job.reads_all()
                                    ? nullptr
                                    : prefixes_->find(usable, job.tokens, as_read, rotations_of(job));
  job.sequence = known != nullptr ? *known : memory_.make_sequence(mixers(job.plan));
  if (known == nullptr) job.sequence->set_rotations(rotations_of(job));
}

bool Scheduler::begin_with_room(Job& job) {
  begin(job, job.plans.lowest);
  if (&job.sequence->mixers() != &mixers(job.plan)) {
    if (make_room_to_begin(job) && memory_.fold(*job.sequence, mixers(job.plan))) {
      ++counts_.folded_prefixes;
      return true;
    }
    begin(job, job.plan);  // there is no room for both, or it can't be folded
  }
  return make_room_to_begin(job);
}

bool Scheduler::make_room_to_begin(const Job& job) {
  const auto missing = [&] {
    return static_cast<std::ptrdiff_t>(reserved_by_running() + reserved_bytes(job)) -
           static_cast<std::ptrdiff_t>(memory_.room());
  };
  // Nothing goes that doesn't help: snapshots first, then others are folded. What a fold frees of what a snapshot
  // holds, too, is only free without the snapshot.
  const int highest = highest_to_fold_to();
  const auto foldable = [&] {
    std::ptrdiff_t freed = 0;
    for (const auto& [id, running] : running_)
      if (const int last = std::min(highest, running->plans.highest); running->plan < last)
        freed += std::max(std::ptrdiff_t{0}, freed_by_fold(*running, last));
    return freed;
  };
  const auto suffices_without_snapshots = [&](std::size_t held) {
    return held + reserved_by_running() + memory_.bytes(mixers(job.plan), reserved_positions(job)) <= memory_.limit();
  };
  while (missing() > 0) {
    if (prefixes_ != nullptr) {
      const std::size_t held = held_when_folded(highest, job);  // whichever snapshots there are
      while (missing() > 0 && suffices_without_snapshots(held) && prefixes_->evict()) continue;
      if (missing() <= 0) break;
    }
    if (missing() > foldable() || !fold_one(highest)) return false;
  }
  return true;
}

int Scheduler::highest_to_fold_to() const {
  return begins_where_room_is_ ? static_cast<int>(std::ssize(plans_)) - 1 : fold_level_;
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

class Scheduler::Holdings {
 public:
  explicit Holdings(CacheMemory& memory) : memory_(memory) {}

  void add(const MixerList& mixers, int positions, const Job& job) {
    bytes_ += memory_.bytes(mixers, positions);
    if (job.shared == 0) return;
    // Of what they share, whoever was folded has less: it is part of what the others have.
    std::size_t& most = prefixes_[job.prefix];
    const std::size_t shared = memory_.finished_bytes(mixers, std::min(job.shared, positions));
    bytes_ -= std::min(most, shared);
    most = std::max(most, shared);
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  CacheMemory& memory_;
  std::unordered_map<std::size_t, std::size_t> prefixes_;  // the most bytes that one of those who share it has of it
  std::size_t bytes_ = 0;
};

std::vector<double> Scheduler::demand(int cap) {
  std::vector<double> result;
  for (int level = 0; level <= cap; ++level) {
    Holdings needed(memory_);
    const auto add = [&](const Job& job) {
      const int lowest = job.first_plan < 0 ? job.plans.lowest : job.plan;
      needed.add(mixers(std::clamp(level, lowest, job.plans.highest)), reserved_positions(job), job);
    };
    for (const auto& [id, job] : running_) add(*job);
    int places = max_sequences_ - running();
    for (auto job = waiting_.begin(); job != waiting_.end() && places > 0; ++job, --places) add(*job->second);
    result.push_back(static_cast<double>(needed.bytes()) / static_cast<double>(memory_.limit()));
  }
  return result;
}

void Scheduler::count_by_plan(std::vector<int>& counts) const {
  std::ranges::fill(counts, 0);
  for (const auto& [id, job] : running_) ++counts[static_cast<std::size_t>(job->plan)];
}

Work Scheduler::work() const {
  Work work;
  for (const auto& [id, job] : waiting_) {
    if (!job->writes()) continue;
    (job->plans.lowest < job->plans.highest ? work.unread : work.settled) += static_cast<double>(job->tokens.size());
  }
  if (counts_.prefix_queried_tokens > 0) {
    const double found =
        static_cast<double>(counts_.prefix_hit_tokens) / static_cast<double>(counts_.prefix_queried_tokens);
    work.unread *= 1 - found;
    work.settled *= 1 - found;
  }
  const auto first = std::ranges::find_if(
      waiting_, [](const auto& job) { return job.second->first_plan < 0 && job.second->writes(); });
  if (first != waiting_.end()) work.longest_wait = first->second->since.seconds();
  int levels = 0;
  for (const auto& [id, job] : running_) {
    levels += job->plan;
    if (job->pending() > 1 && job->writes()) work.settled += job->pending();
    if (job->generated >= 2)
      work.writers.push_back({job->since.seconds() - job->first_token, job->generated, job->request.max_tokens});
  }
  if (running() > 0) work.level = (levels + running() / 2) / running();
  return work;
}

std::size_t Scheduler::held_when_folded(int highest, const Job& waiting) {
  // Whoever begins alike may hold the same blocks, and nothing of these is freed. In order of their tokens, nobody has
  // more in common with a job than its neighbours.
  std::vector<const Job*> jobs{&waiting};
  for (const auto& [id, job] : running_) jobs.push_back(job.get());
  std::ranges::sort(jobs, [](const Job* a, const Job* b) { return a->tokens < b->tokens; });
  std::unordered_map<const Job*, int> common;
  for (std::size_t i = 1; i < jobs.size(); ++i) {
    const std::vector<TokenId>&a = jobs[i - 1]->tokens, &b = jobs[i]->tokens;
    const int count = static_cast<int>(std::ranges::mismatch(a, b).in1 - a.begin());
    for (const Job* const job : {jobs[i - 1], jobs[i]}) common[job] = std::max(common[job], count);
  }
  std::size_t held = held_by_running();
  for (const auto& [id, job] : running_) {
    const int last = std::min(highest, job->plans.highest), length = job->sequence->length();
    if (job->plan >= last) continue;
    const int shared = std::min(length, common[job.get()]);
    const auto own = [&](const MixerList& list) {
      return static_cast<std::ptrdiff_t>(memory_.bytes(list, length) - memory_.finished_bytes(list, shared));
    };
    held -= static_cast<std::size_t>(std::max(std::ptrdiff_t{0}, own(mixers(job->plan)) - own(mixers(last))));
  }
  return held;
}

std::size_t Scheduler::held_by_running() {
  Holdings held(memory_);
  for (const auto& [id, job] : running_) held.add(job->sequence->mixers(), job->sequence->length(), *job);
  return held.bytes();
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
