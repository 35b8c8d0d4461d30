#include "library/messages.h"

#include <mutex>
#include <utility>

#include "base/log.h"
#include "layerboost/messages.h"

namespace layerboost {
namespace {

std::mutex& one_at_a_time() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

void print_nothing() {
  const std::lock_guard lock(one_at_a_time());
  if (lines_on_stderr()) redirect_lines(nullptr);
}

void set_message_handler(std::function<void(const std::string&)> handler) {
  const std::lock_guard lock(one_at_a_time());
  redirect_lines(std::move(handler));
}

}  // namespace layerboost
