// Which rows the next step runs, and who may hold memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/cache_memory.h"
#include "engine/job.h"
#include "engine/prefix_cache.h"

namespace layerboost {

/// The next `count` pending tokens of a running job.
struct StepItem {
  Job* job = nullptr;
  int count = 0;
  std::size_t growth = 0;  // of memory, at most
};

/// Owns the jobs. A step has a budget of tokens: first each running text reads the token it drew last, then what is
/// left goes to prompts, cut where it ends: those begun before, then waiting ones, all in order of arrival.
/// Memory goes by arrival, too: what a job needs is taken from the prefix cache first, then from the newest running job
/// if that is newer than itself (it waits again and is read anew later). So the oldest job always goes on, and as each
/// fits alone, everyone's turn comes. A waiting job begins when there is memory for all that it has, and for what
/// everybody writes soon.
class Scheduler {
 public:
  struct Counts {
    std::uint64_t preemptions = 0, recomputed_tokens = 0, prefix_queried_tokens = 0, prefix_hit_tokens = 0;
  };

  /// `prefixes`: nullptr for none. Both must outlive the scheduler. `step_tokens` > `max_sequences`, so that a budget
  /// for prompts is always left.
  Scheduler(CacheMemory& memory, PrefixCache* prefixes, int step_tokens, int max_sequences);

  /// Its tokens, read to their end, must fit into the memory.
  void add(std::unique_ptr<Job> job);

  /// The rows of the next step; empty only if there are no jobs. Memory for them is ready.
  const std::vector<StepItem>& schedule();

  /// Takes a job out, its caches freed; nullptr if there is none of this number.
  std::unique_ptr<Job> remove(RequestId id);

  /// The oldest of them; nullptr if there is none.
  [[nodiscard]] Job* first_running() const { return running_.empty() ? nullptr : running_.begin()->second.get(); }
  [[nodiscard]] Job* first_waiting() const { return waiting_.empty() ? nullptr : waiting_.begin()->second.get(); }

  [[nodiscard]] int waiting() const { return static_cast<int>(waiting_.size()); }
  [[nodiscard]] int running() const { return static_cast<int>(running_.size()); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  using Jobs = std::map<RequestId, std::unique_ptr<Job>>;

  /// Puts as many of its pending tokens into the step as budget, snapshot points and memory allow.
  void plan(Job& job);
  /// The growth of reading `count` tokens, once there is room for it; nothing if only older jobs could give it.
  std::optional<std::size_t> make_room(const Job& job, int count);
  void preempt_newest();

  void admit();
  /// Gives a waiting job its sequence: a fork of the longest prefix that is known.
  void begin(Job& job);
  bool make_room_to_begin(const Job& job);
  /// The length that a job comes to when it has read what it has and written on for a while.
  static int reserved_positions(const Job& job);
  /// The memory that it needs for that.
  std::size_t reserved_bytes(const Job& job);
  /// About what running jobs hold, prefixes that they share counted once.
  std::size_t held_by_running();

  CacheMemory& memory_;
  PrefixCache* prefixes_;
  const int step_tokens_, max_sequences_;
  Jobs waiting_, running_;
  Counts counts_;
  // Of the step being made.
  std::vector<StepItem> items_;
  int budget_ = 0;
  std::size_t growth_ = 0;
  bool short_of_memory_ = false;
};

}  // namespace layerboost
