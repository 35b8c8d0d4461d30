#include "server/http_body.h"

#include <algorithm>

namespace layerboost {

bool BodyBudget::take(std::size_t bytes) {
  std::size_t taken = taken_;
  do {
    if (bytes > most_ - std::min(taken, most_)) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + bytes));
  return true;
}

bool HttpBody::append(std::string_view piece) {
  const std::size_t size = text_.size() + piece.size();
  if (size > text_.capacity()) {
    const std::size_t capacity = std::max(size, std::min(2 * text_.capacity(), most_));
    const std::size_t charged = capacity - std::min(capacity, free_bytes);
    if (charged > taken_) {
      if (!budget_->take(charged - taken_)) return false;
      taken_ = charged;
    }
    text_.reserve(capacity);
  }
  text_ += piece;
  return true;
}

}  // namespace layerboost
