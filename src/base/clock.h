// Time that passes, and where it comes from.
#pragma once

#include <chrono>

namespace layerboost {

/// Tells the time in seconds since some moment of its own; monotonic, thread-safe. Tests of what happens under load
/// have one that they set.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual double seconds() const = 0;

  /// The clock of the machine.
  static const Clock& steady() {
    struct Steady final : Clock {
      [[nodiscard]] double seconds() const override {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
      }
    };
    static const Steady clock;
    return clock;
  }
};

/// Measures the time since it was made.
class Stopwatch {
 public:
  Stopwatch() : Stopwatch(Clock::steady()) {}
  /// Requires: `clock` outlives this.
  explicit Stopwatch(const Clock& clock) : clock_(&clock), start_(clock.seconds()) {}

  [[nodiscard]] double seconds() const { return clock_->seconds() - start_; }

 private:
  const Clock* clock_;
  double start_;
};

}  // namespace layerboost
