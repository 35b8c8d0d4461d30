// Work that grows in proportion: compared as ratios of the thread's own CPU time, so that neither the machine's speed
// nor what else runs on it decides.
#pragma once

#include <algorithm>
#include <ctime>
#include <limits>

namespace layerboost::test {

/// The CPU seconds that this thread spends in `action`: the least of `times` runs.
template <typename Action>
double cpu_seconds(const Action& action, int times = 1) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  };
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < times; ++i) {
    const double start = now();
    action();
    least = std::min(least, now() - start);
  }
  return least;
}

}  // namespace layerboost::test
