#include "engine/text_output.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace layerboost {
namespace {

/// How many characters at the end of `text` may be the beginning of `stop`, which isn't in it as a whole.
std::size_t possible_beginning(std::string_view text, std::string_view stop) {
  for (std::size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size)
    if (stop.starts_with(text.substr(text.size() - size))) return size;
  return 0;
}

}  // namespace

TextOutput::TextOutput(const Tokenizer& tokenizer, std::vector<std::string> stop)
    : decoder_(tokenizer), stop_(std::move(stop)) {}

std::string TextOutput::push(TokenId token, bool may_stop) {
  if (stopped_) return {};
  held_ += decoder_.push(token);
  if (!may_stop) return std::exchange(held_, {});
  return release();
}

std::string TextOutput::finish() {
  if (stopped_) return {};
  held_ += decoder_.finish();
  std::string text = release();
  if (!stopped_) text += std::exchange(held_, {});
  return text;
}

std::string TextOutput::release() {
  std::size_t end = std::string::npos, keep = 0;
  for (const std::string& stop : stop_) {
    end = std::min(end, held_.find(stop));
    keep = std::max(keep, possible_beginning(held_, stop));
  }
  stopped_ = end != std::string::npos;
  std::string text = held_.substr(0, stopped_ ? end : held_.size() - keep);
  held_.erase(0, stopped_ ? held_.size() : text.size());
  return text;
}

}  // namespace layerboost
