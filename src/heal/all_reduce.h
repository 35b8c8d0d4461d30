// The all-reduce of a training run: where its ranks add up what each has, and how they end together.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/ranks.h"

namespace layerboost {

/// Every rank calls the same in the same order. A live rank that is asked to stop still comes to the next sum_or_end(),
/// so that all stop there; the others are waited for as long as they may take, by the time between earlier sums.
/// Then they are lost.
class AllReduce {
 public:
  /// `save` saves the run's state, where it isn't yet, and returns what to tell the user. It is called on the first
  /// rank only, as soon as that is asked to stop, even while it waits (mpirun leaves little time), and when all stop.
  /// Requires: `ranks` outlive this.
  AllReduce(const Ranks& ranks, std::function<std::string()> save);

  /// Sums `values` over the ranks, unless one of them ends. `problem`: what ends this one, Interrupted or another
  /// exception; nullptr: nothing. Then all throw, after the first has saved: a rank that failed its own problem, and
  /// then the others ToldElsewhere; else all throw Interrupted. What save() returned is its message where there is one
  /// rank; of several the first tells it at once, and the message is empty.
  void sum_or_end(std::span<double> values, std::exception_ptr problem);

  /// Sums `values` over the ranks, between two calls of sum_or_end().
  void sum(std::span<float> values);

 private:
  template <typename T>
  void sum_patiently(std::span<T> values);
  bool give_up();
  void save();

  const Ranks& ranks_;
  const std::function<std::string()> save_;
  std::string told_;                // what save() returned last
  std::optional<Stopwatch> asked_;  // to stop, while waiting
  Stopwatch since_last_;
  double longest_ = 0;  // seconds between those
};

}  // namespace layerboost
