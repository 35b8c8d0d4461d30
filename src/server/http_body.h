// The bodies of requests, and what all of them take together.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace layerboost {

/// Bytes that all bodies together may take. Thread-safe.
class BodyBudget {
 public:
  explicit BodyBudget(std::size_t most) : most_(most) {}

  /// False, and nothing is taken, where so much isn't left.
  bool take(std::size_t bytes);
  void give_back(std::size_t bytes) { taken_ -= bytes; }

 private:
  const std::size_t most_;
  std::atomic<std::size_t> taken_ = 0;
};

/// A body grows with what comes of it, not with what was announced, and gives its memory back to the budget when it
/// ends.
class HttpBody {
 public:
  /// The first bytes of each body are free, so that ordinary requests go on however many large ones are held.
  static constexpr std::size_t free_bytes = std::size_t{64} << 10;

  /// `most`: bytes that it may come to.
  HttpBody(std::shared_ptr<BodyBudget> budget, std::size_t most) : budget_(std::move(budget)), most_(most) {}
  ~HttpBody() { budget_->give_back(taken_); }
  HttpBody(const HttpBody&) = delete;
  HttpBody& operator=(const HttpBody&) = delete;

  /// False, and nothing is added, where the budget has no more.
  bool append(std::string_view piece);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::shared_ptr<BodyBudget> budget_;
  std::size_t most_, taken_ = 0;
  std::string text_;
};

}  // namespace layerboost
