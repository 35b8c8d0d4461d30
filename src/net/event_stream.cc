#include "net/event_stream.h"

namespace layerboost {

bool EventStream::push(std::string_view bytes, const std::function<void(std::string_view)>& on_event) {
  constexpr std::size_t longest = std::size_t{4} << 20;
  for (const char c : bytes) {
    if (c != '\n') {
      line_ += c;
      continue;
    }
    if (line_.ends_with('\r')) line_.pop_back();
    std::string_view line = line_;
    if (line.starts_with("data:")) {
      line.remove_prefix(5);
      if (line.starts_with(' ')) line.remove_prefix(1);
      if (has_data_) data_ += '\n';
      data_ += line;
      has_data_ = true;
    } else if (line.empty() && has_data_) {
      on_event(data_);
      data_.clear();
      has_data_ = false;
    }
    line_.clear();
  }
  return line_.size() + data_.size() <= longest;
}

}  // namespace layerboost
