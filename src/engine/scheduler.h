// Which rows the next step runs, and who may hold memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/cache_memory.h"
#include "engine/job.h"
#include "engine/pace.h"
#include "engine/prefix_cache.h"

namespace layerboost {

/// The next `count` pending tokens of a running job.
struct StepItem {
  Job* job = nullptr;
  int count = 0;
  std::size_t growth = 0;  // of memory, at most
};

/// Owns the jobs. A step has a budget of tokens: first each running sequence reads the token it sampled last, then what
/// is left goes to prompts, cut where it ends: those begun before, then waiting ones, all in order of arrival.
/// Memory goes by arrival, too: what a job needs is taken from the prefix cache first, then from the newest running job
/// if that is newer than itself (it waits again and is read anew later). So the oldest job always goes on, and as each
/// fits alone, everyone's turn comes. A waiting job begins when there is memory for all that it has, and for what is
/// reserved for it and for all that run to write on.
///
/// A running job whose text becomes so long that the model has other rotations for it (RopeConfig::rotations()) is read
/// anew with those: no sequence ever has keys of both. Where each length has its own, that is for each token.
///
/// Jobs that may have several plans (engine/levels.h) are folded before any is pre-empted: first those of the lowest
/// plan, the longest sequence of them. For a job that waits others are folded as far as set_level() says (or, after
/// begin_where_room_is(), as they may be), if it can begin then.
class Scheduler {
 public:
  struct Counts {
    std::uint64_t preemptions = 0, recomputed_tokens = 0, prefix_queried_tokens = 0, prefix_hit_tokens = 0;
    std::uint64_t folds = 0, folded_bytes = 0, folded_prefixes = 0;
  };

  /// `plans`: the engine's, by index. `prefixes`: nullptr for none. Requires: all of them outlive this; `step_tokens` >
  /// `max_sequences`, so that a budget for prompts is always left. `rope`: the model's.
  Scheduler(CacheMemory& memory, PrefixCache* prefixes, std::span<const MixerList* const> plans, int step_tokens,
            int max_sequences, RopeConfig rope = {});

  /// Takes a job. Requires: its tokens, read to their end, fit into the memory with the highest of its plans.
  void add(std::unique_ptr<Job> job);

  /// The plan with which jobs begin from now on, as far as it is one of theirs, and the one to which others are folded
  /// so that one that waits can begin; at the start both are 0. Requires: level <= fold_level.
  void set_level(int level, int fold_level) {
    level_ = level;
    fold_level_ = fold_level;
  }
  /// From now on each begins with the first of its plans with which there is memory for it beside those that run.
  void begin_where_room_is() { begins_where_room_is_ = true; }

  /// What running jobs, and as many waiting ones as there are places, need of the memory with each plan up to `cap`, or
  /// a higher one that they have already: [cap + 1], 1 is all of it.
  [[nodiscard]] std::vector<double> demand(int cap);

  /// What is to be read, pre-empted sequences too, less what the prefix cache is likely to have; who waits, and who
  /// writes.
  [[nodiscard]] Work work() const;

  /// The rows of the next step, memory for which is ready. Empty only if there are no jobs, or if the only one that
  /// runs can't go on: it has outgrown the memory, and can't be folded to a plan with which it would fit.
  const std::vector<StepItem>& schedule();

  /// Takes a job out, its caches freed; nullptr if there is none of this number.
  std::unique_ptr<Job> remove(RequestId id);

  /// The oldest of them; nullptr if there is none.
  [[nodiscard]] Job* first_running() const { return running_.empty() ? nullptr : running_.begin()->second.get(); }
  [[nodiscard]] Job* first_waiting() const { return waiting_.empty() ? nullptr : waiting_.begin()->second.get(); }

  /// Whether what the job's sequence has read is of use to a longer text, and so to the prefix cache. What is embedded
  /// isn't gone on from; and where each length has rotations of its own, only a text of the same length could use it,
  /// for the one token that comes after it, which isn't worth the memory.
  [[nodiscard]] bool shares(const Job& job) const {
    return prefixes_ != nullptr && !job.states && rope_.of_several_lengths(job.sequence->rotations());
  }

  [[nodiscard]] int waiting() const { return static_cast<int>(waiting_.size()); }
  [[nodiscard]] int running() const { return static_cast<int>(running_.size()); }
  /// The plan of the last job that began, of those that may have several; 0 where there are no jobs.
  [[nodiscard]] int begun_plan() const { return running_.empty() && waiting_.empty() ? 0 : begun_plan_; }
  /// `counts`: [plans], of running jobs.
  void count_by_plan(std::vector<int>& counts) const;
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using Jobs = std::map<RequestId, std::unique_ptr<Job>>;

  /// Puts as many of its pending tokens into the step as budget, snapshot points and memory allow.
  void plan(Job& job);
  /// The growth of reading `count` tokens, once there is room for it; nothing if only older jobs could give it.
  std::optional<std::size_t> make_room(Job& job, int count);
  void preempt_newest();
  /// Running jobs whose texts have other rotations now than those that they were read with begin again.
  void begin_outgrown_anew();
  /// Notes what a job begins with.
  void settle_begun(Job& job);
  /// Where the rotations of what the job has of its text begin.
  [[nodiscard]] int rotations_of(const Job& job) const {
    return rope_.rotations(static_cast<int>(std::ssize(job.tokens)));
  }
  /// Folds a running job to a plan up to `highest`, if that frees memory; false where there is none.
  bool fold_one(int highest);
  /// Folds a job that is about to read `count` tokens to a plan with which that takes less memory, if it has one.
  bool fold_to_read(Job& job, int count);
  bool fold(Job& job, int plan);
  /// What a fold would free, less what the step that is being made would take more of then.
  std::ptrdiff_t freed_by_fold(const Job& job, int plan);
  /// Returns the plan that a running job may be folded to now, up to `highest`; nothing where that frees nothing.
  std::optional<int> plan_to_fold_to(const Job& job, int highest);
  [[nodiscard]] const MixerList& mixers(int plan) const { return *plans_[static_cast<std::size_t>(plan)]; }

  void admit();
  /// The plan that a waiting job is to begin with.
  int plan_to_begin(const Job& job);
  /// Gives a waiting job its sequence, if there is room for what it has and for what is reserved for it to write.
  bool begin_with_room(Job& job);
  /// A fork of the longest prefix that is known with one of the plans from `lowest_known` to the job's own, or a new
  /// one.
  void begin(Job& job, int lowest_known);
  bool make_room_to_begin(const Job& job);
  std::size_t reserved_by_running();
  /// The length that a job comes to when it has read what it has and written on for a while.
  static int reserved_positions(const Job& job);
  /// The memory that it needs for that.
  std::size_t reserved_bytes(const Job& job);
  /// About what running jobs hold, prefixes that they share counted once.
  std::size_t held_by_running();
  /// The same, at most, once each has been folded as far as it can be up to `highest`, and there are no snapshots; what
  /// `waiting` has of a prefix stays.
  std::size_t held_when_folded(int highest, const Job& waiting);
  /// The plan to which running jobs may be folded for one that waits.
  [[nodiscard]] int highest_to_fold_to() const;
  /// Bytes of sequences of so many positions, prefixes that they share counted once, each with the plan that is given
  /// for it.
  class Holdings;

  CacheMemory& memory_;
  PrefixCache* prefixes_;
  const std::span<const MixerList* const> plans_;
  const int step_tokens_, max_sequences_;
  const RopeConfig rope_;
  int level_ = 0, fold_level_ = 0, begun_plan_ = 0;
  bool begins_where_room_is_ = false;
  Jobs waiting_, running_;
  Counts counts_;
  // The step being made.
  std::vector<StepItem> items_;
  int budget_ = 0;
  std::size_t growth_ = 0;
  bool short_of_memory_ = false;
};

}  // namespace layerboost
