#include "base/interrupt.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <string_view>

#include "base/error.h"

namespace layerboost {
namespace {

std::atomic<bool> asked_to_stop = false, quiet = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // it is set in a signal handler

void on_signal(int) {
  if (asked_to_stop.exchange(true)) ::_exit(130);
  if (quiet) return;
  constexpr std::string_view message = "\nlayerboost: stopping as soon as nothing is lost; once more to stop at once\n";
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, message.data(), message.size());
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

void interrupt_quietly() { quiet = true; }

bool interrupted() { return asked_to_stop.load(std::memory_order_relaxed); }

void check_interrupt(const std::string& message) {
  if (interrupted()) throw Interrupted(message);
}

}  // namespace layerboost
