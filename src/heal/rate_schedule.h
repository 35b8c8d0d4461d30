// How the learning rate of a run changes from step to step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace layerboost {

/// Up in a line through the first steps, then down along half a cosine.
struct RateSchedule {
  double highest = 0;
  double warm_up = 0;     // reached after this share of the steps
  double final_rate = 0;  // of the highest, at the last step

  /// The rate of step 1 .. steps.
  [[nodiscard]] double at(std::int64_t step, std::int64_t steps) const {
    const auto all = static_cast<double>(steps), now = static_cast<double>(step);
    const double warm = std::max(1.0, std::ceil(warm_up * all));
    if (now <= warm) return highest * now / warm;
    const double done = (now - warm) / std::max(1.0, all - warm);
    return highest * (final_rate + (1 - final_rate) * 0.5 * (1 + std::cos(std::numbers::pi * done)));
  }
};

}  // namespace layerboost
