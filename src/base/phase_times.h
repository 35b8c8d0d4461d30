// Where the time of a step goes.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

namespace layerboost {

/// Seconds by phase, `Phase` being an enum of `count` values from 0. Phases may nest: time counts for the innermost one
/// alone, so that the sum is the time spent in any. Not thread-safe: timed is what the thread of control does.
template <typename Phase, std::size_t count>
class PhaseTimes {
 public:
  static constexpr std::size_t phases = count;
  /// Every phase, in order.
  static constexpr std::array<Phase, count> all() {
    std::array<Phase, count> each{};
    for (std::size_t i = 0; i < count; ++i) each[i] = static_cast<Phase>(i);
    return each;
  }

  /// While it lives, the time counts for its phase; when it goes, for the phase before it again.
  class Scope {
   public:
    Scope(PhaseTimes& times, Phase phase) : times_(times), outer_(times.enter(static_cast<int>(phase))) {}
    ~Scope() { times_.enter(outer_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PhaseTimes& times_;
    int outer_;
  };

  [[nodiscard]] double seconds(Phase phase) const { return seconds_[static_cast<std::size_t>(phase)]; }
  [[nodiscard]] double total() const {
    double sum = 0;
    for (const double seconds : seconds_) sum += seconds;
    return sum;
  }
  void reset() { seconds_ = {}; }
  void add(const PhaseTimes& other) {
    for (std::size_t i = 0; i < count; ++i) seconds_[i] += other.seconds_[i];
  }
  /// What was spent since `before`.
  [[nodiscard]] PhaseTimes since(const PhaseTimes& before) const {
    PhaseTimes difference = *this;
    for (std::size_t i = 0; i < count; ++i) difference.seconds_[i] -= before.seconds_[i];
    return difference;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int none = -1;

  int enter(int phase) {
    const Clock::time_point now = Clock::now();
    if (phase_ != none)
      seconds_[static_cast<std::size_t>(phase_)] += std::chrono::duration<double>(now - start_).count();
    start_ = now;
    return std::exchange(phase_, phase);
  }

  std::array<double, count> seconds_{};
  int phase_ = none;
  Clock::time_point start_;
};

}  // namespace layerboost
