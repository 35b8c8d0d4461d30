// Server-sent events, as they come in from a streaming answer.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace layerboost {

/// Cuts the bytes of an answer into the data of its events ("data: ..." lines up to an empty line), however the network
/// cut them.
class EventStream {
 public:
  /// `on_event` is given each event's data; several data lines are joined by "\n". False: an event goes on after 4 MiB.
  bool push(std::string_view bytes, const std::function<void(std::string_view)>& on_event);

 private:
  std::string line_, data_;
  bool has_data_ = false;
};

}  // namespace layerboost
