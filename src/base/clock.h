// Time that passes.
#pragma once

#include <chrono>

namespace layerboost {

/// Starts when it is made; monotonic.
class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace layerboost
