// Ctrl-C as a key that stops what is under way, not the program.
#pragma once

#include <csignal>

namespace layerboost {

/// While it lives, SIGINT and SIGTERM only set flags and end a read that waits. One at a time.
class InterruptKey {
 public:
  InterruptKey();
  ~InterruptKey();
  InterruptKey(const InterruptKey&) = delete;
  InterruptKey& operator=(const InterruptKey&) = delete;

  /// Whether Ctrl-C was pressed since the last call.
  bool take();
  /// Whether the process was asked to end (SIGTERM).
  [[nodiscard]] bool ended() const;

 private:
  struct sigaction before_interrupt_ {
  }, before_end_{};
};

}  // namespace layerboost
