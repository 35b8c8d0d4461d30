#include "cli/interrupt_key.h"

#include <atomic>

namespace layerboost {
namespace {

std::atomic<bool> pressed = false, asked_to_end = false;
static_assert(std::atomic<bool>::is_always_lock_free);  // they are set in a signal handler

void on_signal(int signal) { (signal == SIGINT ? pressed : asked_to_end) = true; }

}  // namespace

InterruptKey::InterruptKey() {
  struct sigaction action {};
  action.sa_handler = on_signal;  // without SA_RESTART: read() returns
  ::sigaction(SIGINT, &action, &before_interrupt_);
  ::sigaction(SIGTERM, &action, &before_end_);
}

InterruptKey::~InterruptKey() {
  ::sigaction(SIGINT, &before_interrupt_, nullptr);
  ::sigaction(SIGTERM, &before_end_, nullptr);
}

bool InterruptKey::take() { return pressed.exchange(false); }

bool InterruptKey::ended() const { return asked_to_end; }

}  // namespace layerboost
