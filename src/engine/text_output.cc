#include "engine/text_output.h"

#include <algorithm>
#include <utility>

namespace layerboost {

StopSearch::StopSearch(std::string stop) : stop_(std::move(stop)), borders_(stop_.size(), 0) {
  for (std::size_t i = 1, border = 0; i < stop_.size(); ++i) {
    while (border > 0 && stop_[i] != stop_[border]) border = borders_[border - 1];
    if (stop_[i] == stop_[border]) ++border;
    borders_[i] = border;
  }
}

bool StopSearch::read(char byte) {
  while (matched_ > 0 && byte != stop_[matched_]) matched_ = borders_[matched_ - 1];
  if (byte == stop_[matched_]) ++matched_;
  return matched_ == stop_.size();
}

TextOutput::TextOutput(const Tokenizer& tokenizer, const GenerationRequest& request)
    : tokenizer_(&tokenizer),
      decoder_(tokenizer, false, request.prompt),
      include_stop_(request.include_stop),
      skip_special_(request.skip_special),
      shown_(request.shown_tokens),
      stops_(request.stop.begin(), request.stop.end()) {}

bool TextOutput::gives_text(TokenId token) const {
  return !skip_special_ || !tokenizer_->is_special(token) || std::ranges::find(shown_, token) != shown_.end();
}

std::string TextOutput::push(TokenId token, bool may_stop) {
  if (stopped_) return {};
  if (gives_text(token)) held_ += decoder_.push(token);
  if (!may_stop) {
    for (StopSearch& stop : stops_) stop.reset();
    searched_ = 0;
    return std::exchange(held_, {});
  }
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
  std::size_t end = held_.size(), keep = 0;
  for (StopSearch& stop : stops_) {
    for (std::size_t i = searched_; i < held_.size(); ++i) {
      if (!stop.read(held_[i])) continue;
      stopped_ = true;
      end = std::min(end, include_stop_ ? i + 1 : i + 1 - stop.size());
      break;
    }
    if (!include_stop_) keep = std::max(keep, stop.matched());
  }
  std::string text = held_.substr(0, stopped_ ? end : held_.size() - keep);
  held_.erase(0, stopped_ ? held_.size() : text.size());
  searched_ = held_.size();
  return text;
}

}  // namespace layerboost
