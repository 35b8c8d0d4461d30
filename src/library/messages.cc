#include "library/messages.h"

#include <mutex>
#include <utility>

#include "base/log.h"
#include "layerboost/messages.h"

namespace layerboost {

void print_nothing() {
  static std::once_flag done;
  std::call_once(done, [] { redirect_lines(nullptr); });
}

void set_message_handler(std::function<void(const std::string&)> handler) {
  print_nothing();  // so that no later call takes the handler away
  redirect_lines(std::move(handler));
}

}  // namespace layerboost
